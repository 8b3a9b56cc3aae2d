/** An order, from the shelf to the parcel: three tasks on queues of their own, and the workflow that ties them together. */

import { context, Failure, log, NonRetryable, publish, receive, sleep, step, task, workflow } from "currant";

/** What somebody bought. */
export interface Order {
  order: number;
  items: string[];
  /** In cents. */
  amount: number;
  /** How long to wait before shipping: people change their minds. */
  pause_seconds?: number;
  /** How long somebody has to approve it; then it is cancelled. */
  approval_seconds?: number;
}

/** That the items are put aside. */
interface Reservation {
  order: number;
  shelf: string;
}

/** Puts the items aside. */
export const reserve = task({ queue: "inventory", retries: 5, timeout: "10s" }, async (order: Order): Promise<Reservation> => {
  if (order.items.length === 0) throw new NonRetryable("empty-order", `order ${order.order} has no items`);
  log.info("reserved", { order: order.order, items: order.items.length });
  return { order: order.order, shelf: `shelf-${order.order % 7}` };
});

/** Puts the items back: what undoes `reserve`. */
export const release = task({ queue: "inventory", retries: 5, timeout: "10s" }, async (reservation: Reservation) => {
  log.info("released", { order: reservation.order });
});

/** Takes the money. The first attempt always finds the card network busy, to show a retry. */
export const charge = task({ queue: "payments", retries: 5, backoff: "500ms", timeout: "30s" }, async (order: Order) => {
  const { id, attempt } = context();
  if (attempt === 1) throw new Failure("card-network-busy", "the card network asks to be called again");
  log.info("charged", { order: order.order, amount: order.amount });
  // The execution's id is the same at every attempt: a payment provider that is given it charges once.
  return { order: order.order, amount: order.amount, idempotency_key: id, attempt };
});

/** Hands the parcel over. */
export const ship = task({ queue: "shipping", retries: 5, timeout: "1m" }, async (order: Order, tracking: string) => {
  log.info("shipped", { order: order.order });
  return { order: order.order, tracking, items: order.items };
});

/**
 * Reserves, charges, picks a tracking number, waits for the customer to change their mind, waits for the approval, and ships. An order that
 * nobody approves in time gets its items back on the shelf.
 */
export const checkout = workflow(async (order: Order) => {
  publish("reserving");
  const reservation = await reserve(order);

  publish("charging");
  const receipt = await charge.with({ tags: ["money"] })(order);

  // A step: recorded once, so that a replay ships with the same number.
  const tracking = await step("pick-tracking-number", () => `CUR-${crypto.randomUUID().slice(0, 8).toUpperCase()}`);

  await sleep((order.pause_seconds ?? 5) * 1000);

  publish("waiting for approval");
  const approvedBy = await receive<string>("approved", { timeout: (order.approval_seconds ?? 3600) * 1000 });
  if (approvedBy === undefined) {
    await release(reservation);
    throw new NonRetryable("not-approved", `nobody approved order ${order.order}`);
  }

  publish("shipping");
  const parcel = await ship(order, tracking);
  return {
    order: order.order,
    amount: receipt.amount,
    attempts: receipt.attempt,
    approved_by: approvedBy,
    tracking: parcel.tracking,
  };
});
