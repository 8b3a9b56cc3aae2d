/**
 * Durable tasks and workflows for Currant, in JavaScript and TypeScript.
 *
 *     import { receive, sleep, task, workflow } from "currant";
 *
 *     // Takes the money.
 *     export const charge = task({ queue: "payments", retries: 5, timeout: "30s" }, async (order: Order) => {
 *       return `receipt for ${order.amount}`;
 *     });
 *
 *     // From the order to the parcel.
 *     export const checkout = workflow(async (order: Order) => {
 *       const receipt = await charge(order); // calling a task is calling the function
 *       await sleep("5s"); // a pause that survives crashes
 *       const who = await receive<string>("approved"); // a message from outside
 *       return `${receipt}, approved by ${who}`;
 *     });
 *
 * Built by `npx currant build app.ts`, deployed by `npx currant deploy app.wasm`. A task runs once per attempt and may touch the outside world.
 * A workflow is deterministic: it calls tasks, runs steps, sleeps, receives signals, and after a crash it runs again from its beginning with
 * everything answered from its journal. Clocks and random need no care, the host supplies them. Concurrency is `Promise.all`, `race`, `any`
 * and `allSettled` over calls, pauses, steps and messages, which are promises.
 *
 * Cancellation. When somebody cancels a workflow, whatever it is awaiting at that moment throws `Cancelled`, once. Uncaught, it ends the
 * workflow. Caught, the workflow can undo what it did: operations that it starts afterwards work as ever, until its grace period is over.
 *
 * How it fits together, in reading order:
 * - `tasks`, `workflows`: functions, calls and their options · `steps` · `timers` · `signals`
 * - `context`, `environment`, `heartbeats`, `telemetry`: what runs, and what it tells · `failures`, `values`
 * - `testing`: runs workflows in Node, with a clock that jumps · `client`: starts executions from any program · `worker`: runs a worker
 * - `build`, `cli/`: from source files to a component
 * - inside: `functions` (what `task` and `workflow` make) · `operation` (a started thing to await) · `executor` (runs, waits) · `globals`
 *   (timers and random of a workflow) · `host` (who runs it: the worker or the test kit) · `entry` (the exports) · `stacks` (source maps)
 */

export { context, type Execution, isCancelled, type TraceContext } from "./context.js";
export type { Duration } from "./durations.js";
export { env } from "./environment.js";
export { Cancelled, ChildFailed, Failure, type FailureOptions, NonRetryable, RateLimited, TimedOut } from "./failures.js";
export { heartbeat, lastProgress } from "./heartbeats.js";
export type { Operation } from "./operation.js";
export type { CallOptions, CommonOptions, RetryOptions } from "./options.js";
export { random, uuid } from "./random.js";
export { type External, external, type ReceiveOptions, receive } from "./signals.js";
export { step } from "./steps.js";
export { type FunctionOptions, type TaskFunction, task } from "./tasks.js";
export { type Attributes, type Level, log, metrics, type Span, trace } from "./telemetry.js";
export { now, sleep } from "./timers.js";
export { Json, type StandardSchema, type Validator } from "./values.js";
export {
  continueAsNew,
  publish,
  version,
  type WorkflowCallOptions,
  type WorkflowFunction,
  workflow,
} from "./workflows.js";
