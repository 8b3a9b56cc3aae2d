/** Workers that are lost in the middle, and histories that no longer fit. */

import assert from "node:assert/strict";
import { before, test } from "node:test";

import { sharedStack } from "../support/shared.js";
import { ended, type Stack } from "../support/stack.js";

let stack: Stack;
before(async () => {
  stack = await sharedStack();
});

test("a workflow goes on when its worker is killed in the middle, and observes what it had observed", async () => {
  const execution = await stack.start<[boolean, number]>("observed_twice", 700);
  await stack.until(execution, "select count(*) >= 2 from currant.journal where workflow_id = $1 and kind = 'step'");
  await stack.killWorkers();
  const recorded = await stack.journal(execution);
  stack.worker();
  assert.deepEqual(await execution.result(), [true, 6]);
  const complete = await stack.journal(execution);
  assert.deepEqual(complete.slice(0, recorded.length), recorded, "what was on record stays");
  const tasks = await stack.column(execution, "select count(*)::int from currant.executions where parent_workflow_id = $1");
  assert.deepEqual(tasks, [6], "and nothing is started twice");
});

test("a task whose worker is killed is tried again by another", async () => {
  const execution = await stack.start("sleep", 600_000, { retries: 1 });
  await stack.untilStatus(execution, "running");
  const [worker] = await stack.column<string>(execution, "select worker_id::text from currant.running where id = $1");
  await stack.killWorkers();
  stack.worker();
  await stack.until(execution, `select worker_id <> '${worker}' from currant.running where id = $1`);
  await execution.cancel();
  assert.equal((await ended(execution)).failure?.code, "cancelled");
});

test("of two workers one goes on with what the other ran when it is killed", async () => {
  await stack.killWorkers();
  const workers = [stack.worker(), stack.worker()];
  const task = await stack.start("sleep", 600_000, { retries: 1 });
  const workflow = await stack.start<number[]>("fan_out", 60);
  const pidOf = "select pid from currant.running r join currant.worker_heartbeats w on w.id = r.worker_id where r.id = $1";
  await stack.until(task, `select exists (${pidOf})`);
  const [pid] = await stack.column<number>(task, pidOf);
  const [lost, other] = workers[0]?.pid === pid ? workers : workers.toReversed();
  await lost?.kill();
  await stack.until(task, `select pid = ${other?.pid} from (${pidOf}) as runs`);
  assert.deepEqual(
    await workflow.result(),
    Array.from({ length: 60 }, (_, number) => number),
  );
  await task.cancel();
  assert.equal((await ended(task)).failure?.code, "cancelled");
});

test("two workers share the work", async () => {
  await stack.killWorkers();
  const executions = await Promise.all(Array.from({ length: 20 }, () => stack.start("sleep", 500)));
  stack.worker("--slots", "2");
  stack.worker("--slots", "2");
  await Promise.all(executions.map((execution) => execution.result()));
  const { rows } = await stack.database.query(
    "select count(distinct worker_id)::int as workers from currant.outcomes where id = any ($1::uuid[])",
    [executions.map(({ id }) => id)],
  );
  assert.equal(rows[0]?.workers, 2);
});
