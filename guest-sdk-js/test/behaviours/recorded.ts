/** Steps, clocks and random: what must be the same on every replay. Each waits in between, so that it can be replayed. */

import { Failure, now, random, sleep, step, task, uuid, workflow } from "currant";

import { type Fault, failureOf, fault } from "./outcomes.js";
import { draw } from "./outside.js";

/** So many steps, one after the other. Answers the sum of their results. */
export const steps = workflow(async (count: number) => {
  let sum = 0;
  for (let number = 0; number < count; number++) sum += await step(`step-${number}`, () => number);
  return sum;
});

/** A step that fails. Answers the failure that the workflow saw. */
export const failingStep = workflow({ input: fault }, async (what: Fault) => {
  try {
    await step("broken", () => {
      throw failureOf(what);
    });
    return "";
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return `${code}: ${message}`;
  }
});

/** A step that fails so often is tried again after a pause. Answers at which try it succeeded. */
export const retriedStep = workflow(async (failures: number): Promise<number> => {
  for (let number = 1; ; number++) {
    try {
      return await step(`try-${number}`, () => {
        if (number <= failures) throw new Failure("not-yet", `try ${number}`);
        return number;
      });
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== "not-yet") throw error;
      await sleep("10ms");
    }
  }
});

/** A step beside a timer and a task: it runs when both are under way. */
export const stepAmongOthers = workflow(async () => {
  const echo = task.named<[string], string>("echo");
  const [number, text] = await Promise.all([step("among-others", () => 7), echo("x"), sleep("10ms")]);
  return [number, text];
});

/** A step that takes a while, with the usual timers inside it. */
export const slowStep = workflow(async (milliseconds: number) =>
  step("slow", async () => {
    const began = performance.now();
    await new Promise((done) => setTimeout(done, milliseconds));
    return Math.floor(performance.now() - began);
  }),
);

/** Looks at clocks and random before and after a pause. */
export const randomAndClock = workflow(async (pauseMs: number) => {
  const [before_ms, began, draws_before] = [Date.now(), performance.now(), draw()];
  await sleep(pauseMs);
  const monotonic_ms = Math.floor(performance.now() - began);
  return { before_ms, after_ms: Date.now(), monotonic_ms, draws_before, draws_after: draw() };
});

/** The same clock read a thousand times without waiting: the workflow's time stands still meanwhile. */
export const clockStandsStill = workflow(async () => {
  const [now, began] = [Date.now(), performance.now()];
  return Array.from({ length: 1000 }).every(() => Date.now() === now && performance.now() === began);
});

/** The real clock inside a step, with real time passing there. */
export const clockInStep = workflow(async (pauseMs: number) =>
  step("look", () => {
    const began = performance.now();
    while (performance.now() - began < pauseMs);
    return Math.floor(performance.now() - began);
  }),
);

/**
 * Observes everything, tells a task what it observed, runs a step that draws, and observes again. The task answers what the live run told it:
 * whatever a replay observes must be the same. Answers whether it is, and how many different observations there were.
 */
export const observedTwice = workflow(async (pauseMs: number) => {
  const told = task.named<[string], string>("echo").with({ queue: "told" });
  const seen = new Set<string>();
  let same = true;
  for (let round = 0; round < 3; round++) {
    for (const afterStep of [false, true]) {
      if (afterStep) await step(`draw-${round}`, () => [draw(), random()]);
      const observed = observe();
      same = (await told(observed)) === observed && same;
      seen.add(observed);
    }
    await sleep(pauseMs);
  }
  return [same, seen.size];
});

/** Everything that a workflow can observe. */
function observe(): string {
  const times = { now: now(), date: Date.now(), iso: new Date().toISOString(), elapsed: performance.now() };
  return JSON.stringify({ ...draw(), ...times, random: random(), uuid: uuid() });
}
