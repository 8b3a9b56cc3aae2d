/** Durable pauses, and the time. */

import { type Duration, milliseconds } from "./durations.js";
import { durableRun } from "./executor.js";
import { Operation } from "./operation.js";

/** A pause that survives crashes and costs nothing while it lasts, be it a second or a year. A part of a millisecond counts as one. */
export function sleep(length: Duration): Operation<void> {
  const run = durableRun("`sleep`");
  const number = run.host.startTimer(milliseconds(length, "`sleep`"));
  return Operation.begun(run, number, { value: () => undefined });
}

/**
 * The time. In a workflow it is that of the last result that was delivered to it, the same on every replay, and it stands still while code
 * runs. `Date.now()` and `new Date()` say the same.
 */
export function now(): Date {
  return new Date();
}
