/**
 * Runs workflows in Node: tasks just run, timers jump, signals are given in advance. No database, no WebAssembly, milliseconds.
 *
 *     const run = new Run().signalAfter("20s", "approved", "ada").mock(charge, (order) => `receipt for ${order.amount}`);
 *     assert.equal(await run.call(checkout, order), "receipt for 1250, approved by ada");
 *     assert.equal(run.elapsed(), 20_000);
 *
 * It shows what a workflow does, not that it survives a crash: nothing is recorded or replayed, and random is real.
 */

import { AsyncLocalStorage } from "node:async_hooks";

import { type Duration, milliseconds } from "./durations.js";
import { failureOf, recordOf } from "./failures.js";
import { type AnyFunction, collect, type Definition, definitionOf, inputOf, type Target } from "./functions.js";
import { native } from "./host/native.js";
import { enter, type Outcome } from "./host.js";
import { withVirtualClock } from "./testing/clock.js";
import type { Message, Script } from "./testing/script.js";
import { type Place, World } from "./testing/world.js";
import { encode, read } from "./values.js";

/** Whose code is being executed: every call of a function has its own. */
const places = new AsyncLocalStorage<Place>();

enter({
  run: () => places.getStore()?.run,
  surroundings: () => places.getStore()?.surroundings ?? native,
});

/** A world for one call: what it is told, and what it may see. */
export class Run {
  readonly #script: Script = { signals: [], externals: new Map(), cancelAt: undefined, mocks: new Map(), variables: {} };
  readonly #names: ReadonlyMap<string, Definition>;
  #world: World;

  /**
   * A world in which nothing is said or mocked. Give it the module to speak of its functions by their names:
   * `new Run(await import("./app.js"))`.
   */
  constructor(module: Readonly<Record<string, unknown>> = {}) {
    this.#names = collect({ "the module": module });
    this.#world = this.#newWorld();
  }

  /** This message is there from the beginning. */
  signal(name: string, payload?: unknown): this {
    return this.signalAfter(0, name, payload);
  }

  /** This message comes after so much of the workflow's time. */
  signalAfter(after: Duration, name: string, payload?: unknown): this {
    const message: Message = { at: milliseconds(after), name, payload: encode(`the signal \`${name}\``, payload) };
    this.#script.signals.push(message);
    return this;
  }

  /** The result that the `number`-th `external` of the workflow is given, at once. */
  completeExternal(number: number, result: unknown): this {
    this.#script.externals.set(number, { value: encode("an external result", result) });
    return this;
  }

  /** The failure that the `number`-th `external` of the workflow is given, at once. */
  failExternal(number: number, failure: unknown): this {
    this.#script.externals.set(number, { failure: recordOf(failure) });
    return this;
  }

  /** Somebody cancels the workflow after so much of its time. */
  cancelAfter(after: Duration): this {
    this.#script.cancelAt = milliseconds(after);
    return this;
  }

  /** What `env` and `process.env` hold. */
  env(variables: Readonly<Record<string, string>>): this {
    Object.assign(this.#script.variables, variables);
    return this;
  }

  /**
   * Runs this instead of the function, which is named by itself or by its name; the latter need not exist: it can be one of another module.
   * A mock that throws is a failure of the attempt.
   */
  mock<Args extends unknown[], Result>(
    target: AnyFunction<Args, Result> | string,
    body: (...args: Args) => Result | Promise<Result>,
  ): this {
    const definition = typeof target === "string" ? this.#names.get(target) : definitionOf(target);
    const key = definition ?? nameOfMock(target);
    this.#script.mocks.set(key, body as (...args: unknown[]) => unknown);
    return this;
  }

  /** Runs a task or workflow to its end, with the retries that it asks for, and answers its result. */
  async call<Args extends unknown[], Result>(target: AnyFunction<Args, Result>, ...args: Args): Promise<Result> {
    const definition = definitionOf(target);
    if (definition === undefined) throw new TypeError("`call` is given a task or a workflow, and its arguments");
    const called: Target = { kind: definition.kind, name: definition.name, definition };
    this.#world = this.#newWorld();
    const outcome = await withVirtualClock(
      () => places.getStore()?.now?.(),
      () => this.#world.call(called, inputOf(called, args)),
    );
    return resultOf(outcome, definition) as Promise<Result>;
  }

  /** How much time the last call would have taken if code took none, in milliseconds. */
  elapsed(): number {
    return this.#world.elapsed;
  }

  /** How many attempts of a task or workflow the last call made. */
  called(target: AnyFunction<never, unknown> | string): number {
    const key = typeof target === "string" ? (this.#names.get(target) ?? target) : definitionOf(target);
    return this.#world.attempts(key ?? "");
  }

  /** What the workflow published last. */
  published<T = unknown>(): T | undefined {
    const { published } = this.#world;
    return published === undefined ? undefined : (JSON.parse(published) as T);
  }

  #newWorld(): World {
    return new World(this.#script, (place, body) => places.run(place, body));
  }
}

function nameOfMock(target: unknown): string {
  if (typeof target === "string") return target;
  throw new TypeError("`mock` is given a task, a workflow, or the name of one");
}

async function resultOf(outcome: Outcome, definition: Definition): Promise<unknown> {
  if ("failure" in outcome) throw failureOf(outcome.failure);
  return read("invalid-result", "the result", outcome.value, definition.result);
}
