/** Workflows that call. */

import { context, Failure, Json, task, workflow } from "currant";

import { sleep } from "./liveness.js";
import { echo, type Fault, fail, fault } from "./outcomes.js";
import { sleepFlow } from "./waiting.js";

/** Calls `echo`. */
export const echoFlow = workflow({ input: Json, result: Json }, async (value: Json) => echo(value));

/** Answers its input, byte for byte, and does nothing else. */
export const jsonBytes = workflow({ input: Json }, async (value: Json) => value);

/** Calls a task by its name. */
export const callTask = workflow(async (call: { function: string; input?: unknown }) => task.named(call.function)(call.input));

/** Calls a workflow by its name. */
export const callWorkflow = workflow(async (call: { function: string; input?: unknown }) =>
  workflow.named(call.function)(call.input),
);

const number = task.named<[number], number>("echo");

/** So many tasks, one after the other. Answers their sum. */
export const sequence = workflow(async (tasks: number) => {
  let sum = 0;
  for (let next = 0; next < tasks; next++) sum += await number(next);
  return sum;
});

/** So many tasks at once. Answers their results in the order of their calls. */
export const fanOut = workflow(async (tasks: number) => {
  const calls = Array.from({ length: tasks }, (_, next) => number(next));
  const results: number[] = [];
  for (const call of calls) results.push(await call);
  return results;
});

/** The same by `Promise.all`. */
export const fanOutJoined = workflow(async (tasks: number) =>
  Promise.all(Array.from({ length: tasks }, (_, next) => number(next))),
);

/** Two tasks at once. */
export const joined = workflow(async () => {
  const echoText = task.named<[string], string>("echo");
  return Promise.all([echoText("a"), echoText("b")]);
});

/** One call with everything that can be said about one. */
export const callWithOptions = workflow({ input: Json, result: Json }, async (value: Json) =>
  echo.with({
    queue: "aside",
    priority: 7,
    delay: "50ms",
    taskId: `${context().id}-echo`,
    retries: 1,
    backoff: "10ms",
    timeout: "10s",
    totalTimeout: "60s",
    queueTimeout: "30s",
    concurrencyKey: "a-tenant",
    tags: ["blue", "round"],
  })(value),
);

/** Calls a task twice under one id: the second call attaches to what the first one started. */
export const attach = workflow(async (value: unknown) => {
  const once = task.named<[unknown], unknown>("echo").with({ taskId: `${context().id}-once` });
  return Promise.all([once(value), once(value)]);
});

/** A child workflow. Answers what it answers. */
export const childFlow = workflow({ input: Json, result: Json }, async (value: Json) => echoFlow(value));

/** Starts a child that outlives it, and answers at once. */
export const detachedChild = workflow(async (milliseconds: number) => {
  sleepFlow.with({ detached: true })(milliseconds);
  return null;
});

/** Starts a child that does not outlive it, and answers when a task has run. */
export const attachedChild = workflow(async (milliseconds: number) => {
  sleepFlow(milliseconds);
  await number(0);
  return null;
});

/** Calls a task that fails, and answers how. */
export const catchFailure = workflow({ input: fault }, async (what: Fault) => {
  try {
    await fail(what);
    return "it did not fail";
  } catch (error) {
    return seen(error);
  }
});

/** Calls a task that takes too long, and answers how that looks. */
export const catchTimeout = workflow(async (limitMs: number) => {
  try {
    await sleep.with({ timeout: limitMs })(60_000);
    return "it was quick enough";
  } catch (error) {
    return seen(error);
  }
});

/** Calls a task that fails, and fails with it. */
export const passFailureOn = workflow({ input: fault }, async (what: Fault) => fail(what));

/** What a workflow sees of a failure. */
function seen(error: unknown) {
  if (!(error instanceof Failure)) throw error;
  const { code, message, details } = error;
  return {
    code,
    message,
    details: details === undefined ? null : JSON.stringify(details),
    cancelled: code === "cancelled",
    timed_out: code === "timed-out",
  };
}
