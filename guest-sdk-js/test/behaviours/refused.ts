/** What a workflow must not do, or cannot do twice in the same way. */

import { env, heartbeat, log, sleep, step, task, workflow } from "currant";

import { talk } from "./network.js";

/** Connects inside a step, where the module's grants hold. */
export const networkInStep = workflow(async (host: string, port: number) => step("connect", () => talk(host, port)));

/** Writes to stdout and by log before and after a pause: a replay must not say it again. */
export const printInWorkflow = workflow(async (pauseMs: number) => {
  console.log("before");
  log.info("before, by log");
  await sleep(pauseMs);
  console.log("after");
  log.info("after, by log");
  return null;
});

/** Calls another task if the environment variable `BRANCH` says `other`: what a test changes between two runs. */
export const nondeterministic = workflow(async (pauseMs: number) => {
  const branch = env.BRANCH ?? "";
  if (branch === "other") await task.named("fail_until_attempt")(1);
  else await task.named("echo")("usual");
  await sleep(pauseMs);
  return branch;
});

/** Says something about the current task, as only tasks may: traps. */
export const heartbeatInWorkflow = workflow(async () => {
  heartbeat(1);
  return null;
});

/** Throws after a pause. */
export const panicFlow = workflow(async (message: string): Promise<null> => {
  await sleep(1);
  throw new RangeError(message);
});

/** Never ends, and never yields. */
export const loopFlow = workflow(async (): Promise<null> => {
  for (let turns = 0; ; turns++) if (turns < 0) return null;
});

/** Does in a step what only the workflow itself may. Answers what the error said. */
export const sleepInStep = workflow(async () => {
  try {
    await step("asleep", () => sleep(1));
    return "";
  } catch (error) {
    return String(error);
  }
});

/** A callback of a timer throws: nobody else would hear of it. */
export const throwInTimer = workflow(async () => {
  setTimeout(() => {
    throw new RangeError("from a timer");
  }, 5);
  await sleep("1h");
  return null;
});
