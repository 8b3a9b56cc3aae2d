/** Workflows: deterministic functions that coordinate, survive crashes by replay, and wait as long as it takes. */

import { durableRun } from "./executor.js";
import { currentRun } from "./host.js";
import type { Operation } from "./operation.js";
import type { CallOptions } from "./options.js";
import { type Body, callable, define, type FunctionOptions, targetOf } from "./tasks.js";
import { encode, type Validator } from "./values.js";

/** What can be said about one call of a workflow. */
export interface WorkflowCallOptions extends CallOptions {
  /** The child goes on when this workflow ends or is cancelled. */
  detached?: boolean;
}

/** A workflow: called in a workflow it is started as a child. */
export interface WorkflowFunction<Args extends unknown[], Result> {
  (...args: Args): Operation<Result>;
  /** The same workflow with what holds for this call only. */
  with(options: WorkflowCallOptions): WorkflowFunction<Args, Result>;
}

/**
 * Makes a workflow of an async function. It is replayed after a crash, so it must be deterministic: clocks and random are, without care.
 *
 *     export const checkout = workflow(async (order: Order) => {
 *       const receipt = await charge(order);
 *       await sleep("1 day");
 *       return receipt;
 *     });
 */
export function workflow<Input, Result>(
  options: FunctionOptions<Input, Result> & { input: Validator<Input> },
  body: (input: Input) => Result | Promise<Result>,
): WorkflowFunction<[input: Input], Result>;
export function workflow<Args extends unknown[], Result>(
  options: FunctionOptions<never, Result>,
  body: (...args: Args) => Result | Promise<Result>,
): WorkflowFunction<Args, Result>;
export function workflow<Args extends unknown[], Result>(
  body: (...args: Args) => Result | Promise<Result>,
): WorkflowFunction<Args, Result>;
export function workflow(...given: [FunctionOptions, Body] | [Body]): WorkflowFunction<unknown[], unknown> {
  return callable(targetOf("workflow", define("workflow", given)), {});
}

/** A workflow that is known by its name: of another module, perhaps in another language. */
workflow.named = <Args extends unknown[], Result>(name: string, options: { result?: Validator<Result> } = {}) =>
  callable({ kind: "workflow", name, result: options.result }, {}) as WorkflowFunction<Args, Result>;

/**
 * Ends this run and starts the same execution again with this input, an empty journal and the current deployment of the workflow. Unread
 * signals stay. For workflows that never end, so that their journal does; does not return. Several inputs are an array, as in a call.
 *
 *     return continueAsNew(state);
 */
export function continueAsNew(...inputs: unknown[]): Promise<never> {
  const run = durableRun("`continueAsNew`");
  run.host.continueAsNew(encode("the next input", inputs.length > 1 ? inputs : inputs[0]));
  // In a test the kit takes over here; in a component the call above did not return.
  run.continued = true;
  return new Promise<never>(() => {});
}

/**
 * Which side of a change of its own code this run is on: `max` when a run passes here for the first time, afterwards what was recorded then.
 * So the code of runs that began before a change can stay as it was for them.
 *
 *     const by = version("by-mail", 1, 2) >= 2 ? "mail" : "fax";
 */
export function version(change: string, min: number, max: number): number {
  return durableRun("`version`").host.version(change, min, max);
}

/** Shows a value as the workflow's progress in `currant status`. The last one wins. Does nothing outside a workflow. */
export function publish(progress: unknown): void {
  const run = currentRun();
  if (run && run.step === undefined) run.host.publish(encode("progress", progress));
}
