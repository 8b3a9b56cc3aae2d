/** One run of one workflow in the test kit: the contract's promises, with a time that jumps to what happens next. */

import type { Target } from "../functions.js";
import type { Delivery, Host, Outcome } from "../host.js";
import type { StartOptions } from "../options.js";
import type { Message } from "./script.js";
import type { Request, World } from "./world.js";

/** What an operation is at. */
type State =
  /** Not run yet: what is given up before the workflow waits never runs. */
  | { readonly queued: Request; readonly since: number }
  | { readonly outcome: Outcome; readonly at: number }
  | { readonly signal: string }
  /** Nobody said how it ends. */
  | { readonly open: string };

const NULL: Outcome = { value: "null" };

export class Simulation implements Host {
  /** In milliseconds from the beginning of the call. */
  now: number;
  /** The input with which it continues as new, as JSON text. */
  next: string | undefined;

  readonly #world: World;
  readonly #depth: number;
  readonly #messages: Message[];
  readonly #operations = new Map<number, State>();
  #cancelAt: number | undefined;
  #started = 0;
  #externals = 0;

  /** Only the workflow that the test called, at depth 0, is given signals and cancelled. */
  constructor(world: World, depth: number, now: number, messages: Message[]) {
    this.#world = world;
    this.#depth = depth;
    this.now = now;
    this.#messages = messages;
    this.#cancelAt = depth === 0 ? world.script.cancelAt : undefined;
  }

  startTask(target: Target, input: string, options: StartOptions): number {
    return this.#add({ queued: { target, input, options }, since: this.now });
  }

  startWorkflow(target: Target, input: string, options: StartOptions): number {
    return this.#add({ queued: { target, input, options }, since: this.now });
  }

  startTimer(milliseconds: number): number {
    return this.#add({ outcome: NULL, at: this.now + milliseconds });
  }

  receiveSignal(name: string): number {
    return this.#add({ signal: name });
  }

  external(): { operation: number; token: string } {
    const number = ++this.#externals;
    const outcome = this.#depth === 0 ? this.#world.script.externals.get(number) : undefined;
    const operation = this.#add(outcome ? { outcome, at: this.now } : { open: `the external result ${number}` });
    return { operation, token: `external-${number}` };
  }

  async wait(operations: number[]): Promise<Delivery> {
    await this.#runWhatIsQueued();
    let first: { operation: number; at: number } | undefined;
    for (const operation of operations) {
      const at = this.#endOf(operation);
      if (at !== undefined && (first === undefined || at < first.at)) first = { operation, at };
    }
    if (this.#cancelAt !== undefined && (first === undefined || this.#cancelAt <= first.at)) {
      this.now = Math.max(this.now, this.#cancelAt);
      this.#cancelAt = undefined;
      return "cancelled";
    }
    if (first === undefined) return { never: this.#open(operations) };
    this.now = Math.max(this.now, first.at);
    return { operation: first.operation, outcome: this.#take(first.operation) };
  }

  cancel(operation: number): void {
    this.#operations.delete(operation);
  }

  beginStep(): undefined {}

  endStep(): void {}

  version(_change: string, _min: number, max: number): number {
    return max;
  }

  continueAsNew(input: string): void {
    this.next = input;
  }

  publish(progress: string): void {
    this.#world.published = progress;
  }

  quiet(): Promise<void> {
    return new Promise((resolve) => void setImmediate(resolve));
  }

  #add(state: State): number {
    this.#operations.set(++this.#started, state);
    return this.#started;
  }

  /** In the order in which they were started, one after the other. */
  async #runWhatIsQueued(): Promise<void> {
    for (const [operation, state] of this.#operations) {
      if (!("queued" in state)) continue;
      this.#operations.set(operation, await this.#world.perform(state.queued, this.#depth + 1, state.since));
    }
  }

  /** When it ends, if it does. Of two that wait for the same signal the first gets the first message. */
  #endOf(operation: number): number | undefined {
    const state = this.#operations.get(operation);
    if (state === undefined || "open" in state || "queued" in state) return undefined;
    return "signal" in state ? this.#messages.find((message) => message.name === state.signal)?.at : state.at;
  }

  #take(operation: number): Outcome {
    const state = this.#operations.get(operation);
    this.#operations.delete(operation);
    if (state === undefined || "open" in state || "queued" in state) return NULL;
    if (!("signal" in state)) return state.outcome;
    const position = this.#messages.findIndex((message) => message.name === state.signal);
    const [message] = this.#messages.splice(position, 1);
    return message ? { value: message.payload } : NULL;
  }

  #open(operations: number[]): string {
    const names = operations.map((operation) => {
      const state = this.#operations.get(operation);
      if (state && "signal" in state) return `the signal \`${state.signal}\``;
      return state && "open" in state ? state.open : `operation ${operation}`;
    });
    return `the test never gives ${names.join(" or ")}`;
  }
}
