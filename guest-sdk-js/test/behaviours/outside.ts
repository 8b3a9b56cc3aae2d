/** What tasks can reach, but for the network. */

import { env, task } from "currant";

/** The environment variable of this name. */
export const readEnv = task({ retries: 0 }, async (name: string) => env[name] ?? null);

/** The same, as programs for Node read it. */
export const readProcessEnv = task({ retries: 0 }, async () => process.env.GREETING ?? null);

/** The whole environment. */
export const readEnvironment = task({ retries: 0 }, async () => ({ ...env }));

/** Random values of every kind that JavaScript draws. */
export function draw() {
  return {
    system: [...crypto.getRandomValues(new Uint32Array(4))],
    generator: Array.from({ length: 4 }, () => Math.random()),
    uuid: crypto.randomUUID(),
  };
}

/** Draws random values. */
export const readRandom = task({ retries: 0 }, async () => draw());

/** The time in milliseconds, and how many of them passed during the work that the caller cannot see. */
export const readClock = task({ retries: 0 }, async () => {
  const began = performance.now();
  return [Date.now(), Math.floor(performance.now() - began)];
});
