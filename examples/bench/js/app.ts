/** What `currant-host bench` deploys, in JavaScript: the least that a task, a step and a wait can do, so that what is measured is Currant. */

import { receive, step, task, workflow } from "currant";

/** Does nothing. */
export const noop = task(async (_order?: unknown) => {});

/** So many steps, one after the other, each of which does nothing. */
export const steps = workflow(async (count: number) => {
  for (let number = 0; number < count; number++) await step("step", () => {});
});

/** So many tasks, one after the other, each of which does nothing. */
export const tasks = workflow(async (count: number) => {
  for (let number = 0; number < count; number++) await noop();
});

/** Waits for the signal `go`. */
export const wait = workflow(async () => receive<unknown>("go"));
