/** How workflows are cancelled, change and go on. */

import { Cancelled, continueAsNew, isCancelled, publish, receive, sleep, task, version, workflow } from "currant";

import { sleep as sleepTask } from "./liveness.js";
import { sleepFlow } from "./waiting.js";

/** Takes back what was done. */
export const undo = task({ queue: "undo" }, async (what: string) => `undid ${what}`);

/** Waits for long. Cancelled, it takes back what it did, and then ends as cancelled. */
export const compensate = workflow(async (what: string) => {
  try {
    await sleep("1h");
  } finally {
    if (isCancelled()) publish(await undo(what));
  }
  return null;
});

/** Cancelled, it ends well all the same, and answers what it saw. */
export const surviveCancellation = workflow(async () => {
  try {
    await sleep("1h");
    return "slept";
  } catch (error) {
    if (!(error instanceof Cancelled)) throw error;
    await sleep("10ms");
    return "cancelled, and finished all the same";
  }
});

/** Cancelled while it waits for nothing but a timer of the language, which cannot be told. */
export const cancelTimer = workflow(async () => {
  await new Promise((done) => setTimeout(done, 3_600_000));
  return null;
});

/** Waits for long with a child workflow and a task under way. */
export const cancelWithChildren = workflow(async (milliseconds: number) => {
  await Promise.all([sleepFlow(milliseconds), sleepTask(milliseconds)]);
  return null;
});

/** Answers which side of a change it is on, before and after a pause. */
export const versioned = workflow(async (pauseMs: number) => {
  const before = version("a-change", 1, 2);
  await sleep(pauseMs);
  return [before, version("a-change", 1, 2)];
});

/** Publishes how far it is. */
export const published = workflow(async (rounds: number, pauseMs: number) => {
  for (let round = 0; round < rounds; round++) {
    publish(round);
    await sleep(pauseMs);
  }
  return null;
});

/** Begins anew until nothing is left. */
export const countDown = workflow(async (from: number): Promise<string> => {
  if (from === 0) return "lift-off";
  await sleep("10ms");
  return continueAsNew(from - 1);
});

/** Begins anew with signals unread: they must follow. Answers them in order. */
export const collectSignals = workflow(async (name: string, count: number, seen: unknown[]): Promise<unknown[]> => {
  const more = [...seen, await receive(name)];
  return more.length === count ? more : continueAsNew(name, count, more);
});
