/** Tasks that take a while. */

import { Cancelled, Failure, heartbeat, isCancelled, lastProgress, task } from "currant";

const pause = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds));

/** Takes so long. */
export const sleep = task({ retries: 0 }, async (milliseconds: number) => {
  const began = performance.now();
  await pause(milliseconds);
  return Math.floor(performance.now() - began);
});

/** Says that it is alive until it is cancelled. */
export const heartbeatLoop = task({ retries: 0, heartbeat: "5s" }, async (pauseMs: number): Promise<null> => {
  for (let beat = 0; ; beat++) {
    if (heartbeat(beat)) throw new Cancelled();
    await pause(pauseMs);
  }
});

/** Says that it is alive once, and never again. */
export const fallSilent = task({ retries: 0, heartbeat: "200ms" }, async (milliseconds: number) => {
  heartbeat("last words");
  await pause(milliseconds);
  return null;
});

/** Waits for its cancellation without a heartbeat. */
export const watchForCancellation = task({ retries: 0 }, async (): Promise<null> => {
  while (!isCancelled()) await pause(20);
  throw new Cancelled();
});

/** Is cancelled, and does not care. */
export const ignoreCancellation = task({ retries: 0 }, async (milliseconds: number) => {
  await pause(milliseconds);
  return "finished all the same";
});

/** Fails half way at the first attempt, and goes on from there at the second. Answers where it began. */
export const resume = task({ retries: 1, backoff: "10ms" }, async (rounds: number) => {
  const begin = lastProgress<number>() ?? 0;
  for (let round = begin; round < rounds; round++) {
    heartbeat(round);
    if (begin === 0 && round === Math.floor(rounds / 2)) throw new Failure("half-way", `stopped at ${round}`);
  }
  return begin;
});

/** Runs longer than its attempt may. */
export const overrun = task({ retries: 0, timeout: "200ms" }, async (milliseconds: number) => {
  await pause(milliseconds);
  return null;
});
