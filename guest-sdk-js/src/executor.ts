/**
 * Lets a workflow run until nothing of it can go on, and then asks the host for what it waits for.
 *
 *       run everything that can run ── it is over ───────────────────────────► its result
 *            ▲    │ quiet
 *            │    ├─ a callback of `setTimeout(…, 0)` is due ─► call it
 *            │    ├─ a step is queued: everything else is parked ─► run its closure
 *            │    ├─ operations are awaited ─ wait ─► settle the one that is delivered
 *            │    └─ none of these ────────────────────────────────────────────► failure `stuck`
 *            └────────────────────┘
 *
 * JavaScript runs one thing at a time and settles promises in a fixed order, so the way that the code takes follows from the code and from the
 * order of deliveries, which the host records. A replay takes the same way.
 */

import { Cancelled, NonRetryable, recordOf } from "./failures.js";
import { currentRun, type Host, type Outcome } from "./host.js";
import { encode } from "./values.js";

/** Something that a run has started, and that was not yet delivered. */
export interface Pending {
  readonly number: number;
  /** Whether it goes on when this workflow is cancelled. */
  readonly detached: boolean;
  /** Whether anybody awaits it. */
  awaited: boolean;
  deliver(outcome: Outcome): void;
  /** Tells whoever awaits it that the workflow is cancelled. A callback cannot be told. */
  interrupt?(): void;
}

/** A step that waits for its turn. */
interface Turn {
  name: string;
  closure: () => unknown;
  settle(outcome: Outcome): void;
}

/** How a workflow ended: what its function returned, or what it threw. */
export type Ended = { readonly value: unknown } | { readonly error: unknown };

/** One run of a workflow: what it has started, and what it waits for. */
export class Run {
  readonly host: Host;
  /** Whether its cancellation was requested. */
  cancelled = false;
  /** `continueAsNew` was called; only the test kit gets to see this. */
  continued = false;
  /** The step whose closure is running. */
  step: string | undefined;

  /** By number: the host is asked in the same order on every replay. */
  readonly #pending = new Map<number, Pending>();
  readonly #callbacks: (() => void)[] = [];
  readonly #steps: Turn[] = [];
  #ended: Ended | undefined;

  constructor(host: Host) {
    this.host = host;
  }

  /** Runs a workflow to its end. */
  async drive(body: () => unknown): Promise<Ended> {
    Promise.resolve()
      .then(body)
      .then(
        (value) => this.#end({ value }),
        (error) => this.#end({ error }),
      );
    for (;;) {
      await this.host.quiet();
      if (this.#ended) return this.#ended;
      if (this.continued) return { value: null };
      if (this.#callBack() || (await this.#takeStep())) continue;
      await this.#wait();
    }
  }

  add(pending: Pending): void {
    this.#pending.set(pending.number, pending);
  }

  /** Nobody waits for it any more; whoever does is told. */
  giveUp(pending: Pending): void {
    if (!this.#pending.delete(pending.number) || this.#ended) return;
    this.host.cancel(pending.number);
    pending.interrupt?.();
  }

  /** Calls this as soon as nothing else can run. */
  soon(callback: () => void): void {
    this.#callbacks.push(callback);
  }

  /** Queues a step: it runs when everything else is parked. */
  queueStep(turn: Turn): void {
    this.#steps.push(turn);
  }

  /** A callback that throws ends the workflow: nobody else would hear of it. */
  call(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.#end({ error });
    }
  }

  #end(ended: Ended): void {
    this.#ended ??= ended;
  }

  #callBack(): boolean {
    const callback = this.#callbacks.shift();
    if (callback) this.call(callback);
    return callback !== undefined;
  }

  async #takeStep(): Promise<boolean> {
    const turn = this.#steps.shift();
    if (!turn) return false;
    const recorded = this.host.beginStep(turn.name);
    turn.settle(recorded ?? (await this.#runStep(turn)));
    return true;
  }

  async #runStep({ name, closure }: Turn): Promise<Outcome> {
    let outcome: Outcome;
    this.step = name;
    try {
      outcome = { value: encode(`the result of step \`${name}\``, await closure()) };
    } catch (error) {
      outcome = { failure: recordOf(error) };
    } finally {
      this.step = undefined;
    }
    this.host.endStep(outcome);
    return outcome;
  }

  async #wait(): Promise<void> {
    const awaited = [...this.#pending.values()].filter((pending) => pending.awaited);
    if (awaited.length === 0) {
      this.#end(
        stuck(
          "it awaits a promise that nothing durable will settle; only tasks, workflows, steps, timers, signals and what is made of them can be awaited",
        ),
      );
      return;
    }
    const delivery = await this.host.wait(awaited.map((pending) => pending.number));
    if (delivery === "cancelled") {
      this.#interrupt(awaited);
    } else if ("never" in delivery) {
      this.#end(stuck(delivery.never));
    } else {
      const pending = this.#pending.get(delivery.operation);
      this.#pending.delete(delivery.operation);
      pending?.deliver(delivery.outcome);
    }
  }

  /** Everything that the workflow awaits at this moment answers `Cancelled`, and is given up. */
  #interrupt(awaited: Pending[]): void {
    this.cancelled = true;
    const told = awaited.filter((pending) => pending.interrupt !== undefined);
    // Who waits for nothing but callbacks cannot hear it, and would wait on.
    if (told.length === 0) this.#end({ error: new Cancelled() });
    for (const pending of told) {
      this.#pending.delete(pending.number);
      if (!pending.detached) this.host.cancel(pending.number);
      pending.interrupt?.();
    }
  }
}

/** The run of the workflow whose code is being executed, where durable operations are possible. `what` names what is asked for. */
export function durableRun(what: string): Run {
  const run = currentRun();
  if (run === undefined) throw new NonRetryable("not-in-workflow", `${what} is only possible in a workflow`);
  refuseInStep(run, what);
  return run;
}

/** Steps are closed to durable operations: what they start would be on no record. */
export function refuseInStep(run: Run, what: string): void {
  if (run.step === undefined) return;
  throw new NonRetryable(
    "not-in-workflow",
    `${what} is not possible inside the step \`${run.step}\`: do it in the workflow itself`,
  );
}

function stuck(reason: string): Ended {
  return { error: new NonRetryable("stuck", `the workflow can never go on: ${reason}`) };
}
