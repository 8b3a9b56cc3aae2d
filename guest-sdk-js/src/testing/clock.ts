/** Clocks and timers that follow the simulated time while a test kit's call is under way, for the code that it runs, and for no other. */

import { replaceGlobals } from "../globals.js";

let calls = 0;
let restore = () => {};

/** Runs `body` with the clock that `now` answers for whoever asks; undefined is the real time. */
export async function withVirtualClock<T>(now: () => number | undefined, body: () => Promise<T>): Promise<T> {
  if (calls++ === 0) restore = replaceAll(now);
  try {
    return await body();
  } finally {
    if (--calls === 0) restore();
  }
}

function replaceAll(now: () => number | undefined): () => void {
  const real = globalThis.Date;
  const restoreTimers = replaceGlobals();
  globalThis.Date = new Proxy(real, {
    construct(target, given, newTarget) {
      const virtual = given.length === 0 ? now() : undefined;
      return Reflect.construct(target, virtual === undefined ? given : [virtual], newTarget);
    },
    apply(target) {
      const virtual = now();
      return (virtual === undefined ? new target() : new target(virtual)).toString();
    },
    get(target, name) {
      if (name === "now") return () => now() ?? target.now();
      return Reflect.get(target, name);
    },
  });
  return () => {
    globalThis.Date = real;
    restoreTimers();
  };
}
