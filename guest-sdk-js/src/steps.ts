/** Steps: closures inside a workflow whose outcome is recorded. */

import { durableRun } from "./executor.js";
import { failureOf } from "./failures.js";
import { currentRun } from "./host.js";
import { decode } from "./values.js";

/**
 * Runs a closure once, and records what it answers: a replay is given the record. For what is local and quick: inside it, clocks and random
 * are real, `setTimeout` and `fetch` are the usual ones, the module's grants hold, and nothing durable is possible. It runs while everything
 * else in the workflow is parked, at least once, and is recorded once.
 *
 *     const token = await step("pick-token", () => crypto.randomUUID());
 */
export function step<T>(name: string, closure: () => T): Promise<Awaited<T>> {
  // A function that a test calls outside a workflow just runs.
  if (currentRun() === undefined) return Promise.resolve().then(closure) as Promise<Awaited<T>>;
  const run = durableRun(`the step \`${name}\``);
  return new Promise((resolve, reject) => {
    run.queueStep({
      name,
      closure,
      settle(outcome) {
        if ("failure" in outcome) reject(failureOf(outcome.failure));
        // The live run reads the record as well: a value that does not come back as it went shows at once, not at a replay.
        else resolve(decode("invalid-result", `the result of step \`${name}\``, outcome.value) as Awaited<T>);
      },
    });
  });
}
