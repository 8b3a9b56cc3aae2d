/** What the sandbox must survive. */

import { sleep, task } from "currant";

/** Throws an error with this message, three calls deep. */
export const panic = task({ retries: 0 }, async (message: string): Promise<null> => {
  await outer(message);
  return null;
});

async function outer(message: string): Promise<void> {
  await null;
  inner(message);
}

function inner(message: string): never {
  throw new RangeError(message);
}

/** Throws something that is no error. */
export const throwText = task({ retries: 0 }, async (text: string): Promise<null> => {
  throw text;
});

/** Never ends, and never yields. */
export const loopForever = task({ retries: 0 }, async (): Promise<null> => {
  for (let turns = 0; ; turns++) if (turns < 0) return null;
});

/** Takes so much memory, and uses it. */
export const allocate = task({ retries: 0 }, async (mebibytes: number) => {
  const blocks = Array.from({ length: mebibytes }, () => new Uint8Array(1 << 20).fill(1));
  return blocks.reduce((sum, block) => sum + block.length, 0);
});

/** Calls itself until the stack ends. */
export const recurse = task({ retries: 0 }, async () => deeper(1));

function deeper(depth: number): number {
  return deeper(depth + 1) + 1;
}

/** Writes so many bytes to stdout and stderr each, in lines of 80. */
export const print = task(async (bytes: number) => {
  for (let start = 0; start < bytes; start += 80) {
    const line = "=".repeat(Math.max(0, Math.min(bytes - start, 80) - 1));
    console.log(line);
    console.error(line);
  }
  return null;
});

/** Does in a task what only workflows may: the SDK answers. */
export const sleepDurably = task({ retries: 0 }, async () => {
  await sleep(1);
  return null;
});

/** Answers what JSON cannot hold. */
export const answerBigint = task({ retries: 0 }, async () => ({ big: 1n }));
