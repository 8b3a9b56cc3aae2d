"""An order, from the shelf to the parcel: three tasks on queues of their own, and the workflow that ties them together."""

import secrets
from dataclasses import dataclass

import currant
from currant import Failure, NonRetryable

currant.module("checkout-python", version="0.1.0")


@dataclass
class Order:
    """What somebody bought."""

    order: int
    items: list[str]
    amount: int
    """In cents."""
    pause_seconds: int = 5
    """How long to wait before shipping: people change their minds."""
    approval_seconds: int = 3600
    """How long somebody has to approve it; then it is cancelled."""


@dataclass
class Reservation:
    """That the items are put aside."""

    order: int
    shelf: str


@dataclass
class Receipt:
    """That the money was taken."""

    order: int
    amount: int
    idempotency_key: str
    """The execution that charged. The same at every attempt: a payment provider that is given it charges once."""
    attempt: int


@dataclass
class Parcel:
    """That it is on its way."""

    order: int
    tracking: str
    items: list[str]


@dataclass
class Confirmation:
    """What the customer is told."""

    order: int
    amount: int
    attempts: int
    approved_by: str
    tracking: str


@currant.task(queue="inventory", retries=5, timeout="10s")
def reserve(order: Order) -> Reservation:
    """Puts the items aside."""
    if not order.items:
        raise NonRetryable("empty-order", f"order {order.order} has no items")
    currant.log.info("reserved", order=order.order, items=len(order.items))
    return Reservation(order.order, f"shelf-{order.order % 7}")


@currant.task(queue="inventory", retries=5, timeout="10s")
def release(reservation: Reservation) -> None:
    """Puts the items back: what undoes `reserve`."""
    currant.log.info("released", order=reservation.order)


@currant.task(queue="payments", retries=5, backoff="500ms", timeout="30s")
def charge(order: Order) -> Receipt:
    """Takes the money. The first attempt always finds the card network busy, to show a retry."""
    execution = currant.context()
    if execution.attempt == 1:
        raise Failure("card-network-busy", "the card network asks to be called again")
    currant.log.info("charged", order=order.order, amount=order.amount)
    return Receipt(order.order, order.amount, execution.id, execution.attempt)


@currant.task(queue="shipping", retries=5, timeout="1m")
def ship(order: Order, tracking: str) -> Parcel:
    """Hands the parcel over."""
    currant.log.info("shipped", order=order.order)
    return Parcel(order.order, tracking, order.items)


@currant.workflow
async def checkout(order: Order) -> Confirmation:
    """Reserves, charges, picks a tracking number, waits for the customer to change their mind, waits for the approval, and ships. An
    order that nobody approves in time gets its items back on the shelf.
    """
    currant.publish("reserving")
    reservation = await reserve(order)

    currant.publish("charging")
    receipt = await charge.with_(tags=["money"])(order)

    # A step: recorded once, so that a replay ships with the same number.
    tracking = await currant.step("pick-tracking-number", lambda: f"CUR-{secrets.token_hex(4).upper()}")

    await currant.sleep(order.pause_seconds)

    currant.publish("waiting for approval")
    approved_by = await currant.receive("approved", str, timeout=order.approval_seconds)
    if approved_by is None:
        await release(reservation)
        raise NonRetryable("not-approved", f"nobody approved order {order.order}")

    currant.publish("shipping")
    parcel = await ship(order, tracking)
    return Confirmation(order.order, receipt.amount, receipt.attempt, approved_by, parcel.tracking)
