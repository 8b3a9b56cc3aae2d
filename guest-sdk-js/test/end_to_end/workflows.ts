/** What workflows of a component do in a real worker, live and on replay: each that waits is dropped, and runs again from its beginning. */

import assert from "node:assert/strict";
import { before, test } from "node:test";

import { Failure } from "currant/client";

import { sharedStack } from "../support/shared.js";
import { ended, type Stack } from "../support/stack.js";

let stack: Stack;
before(async () => {
  stack = await sharedStack();
});

test("children run one after the other and side by side", async () => {
  assert.equal(await stack.result("sequence", 5), 10);
  const numbers = Array.from({ length: 20 }, (_, number) => number);
  assert.deepEqual(await stack.result("fan_out", 20), numbers);
  assert.deepEqual(await stack.result("fan_out_joined", 20), numbers);
  assert.deepEqual(await stack.result("joined"), ["a", "b"]);
});

test("functions are called by their names", async () => {
  assert.equal(await stack.result("call_task", { function: "echo", input: 3 }), 3);
  assert.deepEqual(await stack.result("call_workflow", { function: "echo_flow", input: [3] }), [3]);
});

test("everything that can be said about a call is on the child's record", async () => {
  const execution = await stack.start("call_with_options", { x: 1 });
  assert.deepEqual(await execution.result(), { x: 1 });
  const [child] = await stack.column<Record<string, unknown>>(
    execution,
    "select to_jsonb(r) from currant.requests r where parent_workflow_id = $1",
  );
  assert.deepEqual(
    [child?.queue, child?.priority, child?.task_id, child?.concurrency_key, child?.tags],
    ["aside", 7, `${execution.id}-echo`, "a-tenant", ["blue", "round"]],
  );
  assert.deepEqual(child?.timeouts, { queue_ms: 30_000, attempt_ms: 10_000, total_ms: 60_000 });
  assert.match(JSON.stringify(child?.retry), /"retries":1/);
});

test("a child workflow returns to its parent, and a detached one outlives it", async () => {
  assert.deepEqual(await stack.result("child_flow", { x: 1 }), { x: 1 });
  const detached = await stack.start("detached_child", 200);
  await detached.result();
  await stack.until(detached, "select bool_and(status = 'completed') from currant.executions where parent_workflow_id = $1");
  const attached = await stack.start("attached_child", 3_600_000);
  await attached.result();
  await stack.until(
    attached,
    "select status = 'cancelled' from currant.executions where parent_workflow_id = $1 and function = 'sleep_flow'",
  );
});

test("a workflow sees why its child failed, and fails with it if it does not care", async () => {
  const fault = { code: "declined", message: "no", details: [1] };
  assert.deepEqual(await stack.result("catch_failure", fault), {
    code: "declined",
    message: "no",
    details: "[1]",
    cancelled: false,
    timed_out: false,
  });
  const failure = await stack.failure("pass_failure_on", fault);
  assert.deepEqual([failure.code, failure.message, failure.details], ["declined", "no", [1]]);
  assert.equal((await stack.result<{ timed_out: boolean }>("catch_timeout", 100)).timed_out, true);
});

test("pauses are durable, by the SDK and by the language's own timers", async () => {
  const slept = await stack.start<number>("sleep_flow", 300);
  assert.ok((await slept.result()) >= 300);
  assert.deepEqual(await stack.journal(slept), ["started", "timer", "completed"]);
  const std = await stack.start<number>("std_sleep_flow", 300);
  assert.ok((await std.result()) >= 300);
  assert.deepEqual(await stack.journal(std), await stack.journal(slept), "the same on record");
  assert.equal(await stack.result("sleep_often", [3, 5]), null);
});

test("signals come in the order of their arrival, also those that came early", async () => {
  const execution = await stack.start("two_signals_in_order", "word");
  await execution.signal("word", "first");
  await execution.signal("word", { second: true });
  assert.deepEqual(await execution.result(), ["first", { second: true }]);
});

test("patience for a signal has an end, after which it can be asked for again", async () => {
  assert.equal(await stack.result("signal_or_timeout", ["word", 30]), null);
  const execution = await stack.start("signal_after_giving_up", ["word", 30]);
  await stack.until(execution, "select count(*) > 0 from currant.journal where workflow_id = $1 and kind = 'cancel'");
  await execution.signal("word", "late");
  assert.deepEqual(await execution.result(), [false, "late"]);
});

test("a race is won by what happens first, and the loser is cancelled", async () => {
  const execution = await stack.start("race", [600_000, 30]);
  assert.equal(await execution.result(), "timer");
  await stack.until(execution, "select status = 'cancelled' from currant.executions where parent_workflow_id = $1");
  assert.equal(await stack.result("race", [1, 600_000]), "task");
});

test("promises of the language combine what is durable", async () => {
  assert.deepEqual(await stack.result("any_and_settled"), ["right", ["fulfilled", "rejected"]]);
  assert.deepEqual(await stack.result("delivery_order", [5, 20]), [0, 1, 2, 3, 4]);
  const [awaits, ticks] = await stack.result<[number, number]>("deep_awaits");
  assert.equal(awaits, 5000);
  assert.ok(ticks >= 1 && ticks <= 3, String(ticks));
});

test("somebody outside completes what holds its token", async () => {
  const execution = await stack.start("wait_external");
  await stack.until(execution, "select progress is not null from currant.executions where id = $1");
  const { progress: token } = await execution.status();
  await stack.client.complete(String(token), "done");
  assert.equal(await execution.result(), "done");
  await assert.rejects(stack.client.complete(String(token)), /no open workflow waits/);
});

test("somebody outside fails what holds its token", async () => {
  const execution = await stack.start("wait_external");
  await stack.until(execution, "select progress is not null from currant.executions where id = $1");
  const { progress: token } = await execution.status();
  await stack.client.fail(String(token), new Failure("declined", "no, thank you", { details: { card: 42 } }));
  await assert.rejects(execution.result(), { code: "declined", message: "no, thank you", details: { card: 42 } });
});

test("a workflow that can never go on says so", async () => {
  const failure = await stack.failure("stuck");
  assert.equal(failure.code, "stuck");
  assert.match(failure.message, /a promise that nothing durable will settle/);
});

test("steps run once and are recorded, whatever else is under way", async () => {
  assert.equal(await stack.result("steps", 3), 3);
  assert.equal(await stack.result("failing_step", { code: "broken", message: "twice" }), "broken: twice");
  assert.deepEqual(await stack.result("step_among_others"), [7, "x"]);
  assert.ok((await stack.result<number>("slow_step", 50)) >= 50, "timers inside a step are the usual ones");
  assert.ok((await stack.result<number>("clock_in_step", 30)) >= 30, "and so are clocks");
  assert.match(await stack.result<string>("sleep_in_step"), /not possible inside the step `asleep`/);
});

test("what a replay observes is what the live run observed, also after a step that drew", async () => {
  const pairs = await stack.result<[unknown, unknown][]>("observed_twice", 20);
  assert.equal(pairs.length, 6);
  for (const [replayed, live] of pairs) assert.deepEqual(replayed, live);
  assert.equal(new Set(pairs.map(([, live]) => (live as { uuid: string }).uuid)).size, 6, "and each look is another one");
});

test("two executions observe different values", async () => {
  type Seen = {
    draws_before: { uuid: string; generator: number[] };
    before_ms: number;
    after_ms: number;
    monotonic_ms: number;
  };
  const [one, other] = await Promise.all([
    stack.result<Seen>("random_and_clock", 40),
    stack.result<Seen>("random_and_clock", 40),
  ]);
  assert.notEqual(one.draws_before.uuid, other.draws_before.uuid);
  assert.notDeepEqual(one.draws_before.generator, other.draws_before.generator);
  assert.ok(one.after_ms - one.before_ms >= 40);
  assert.equal(one.after_ms - one.before_ms, one.monotonic_ms);
  assert.equal(await stack.result("clock_stands_still"), true);
});

test("log lines are kept once though the workflow is replayed", async () => {
  const execution = await stack.start("print_in_workflow", 20);
  await execution.result();
  const lines = await stack.column(execution, "select message from currant.logs where execution_id = $1 order by run, line");
  assert.deepEqual(lines, ["before", "before, by log", "after", "after, by log"]);
});

test("errors after a replay, and those of callbacks, have their place", async () => {
  const failure = await stack.failure("panic_flow", "boo");
  assert.match(
    (failure.details as { stack: string }).stack,
    /^RangeError: boo\n {4}at panicFlow \(test\/behaviours\/refused\.ts:\d+:\d+\)$/,
  );
  assert.equal((await stack.failure("throw_in_timer")).message, "from a timer");
});

test("what only tasks may do is refused in a workflow", async () => {
  assert.match((await stack.failure("heartbeat_in_workflow")).message, /`heartbeat` is for tasks/);
});

test("a workflow is on the side of a change on which it began, and begins anew", async () => {
  assert.deepEqual(await stack.result("versioned", 20), [2, 2]);
  assert.equal(await stack.result("count_down", 3), "lift-off");
  const collecting = await stack.start("collect_signals", ["word", 3, []]);
  for (const word of [1, 2, 3]) await collecting.signal("word", word);
  assert.deepEqual(await collecting.result(), [1, 2, 3]);
});

test("progress that a workflow publishes is seen", async () => {
  const execution = await stack.start("published", [3, 5]);
  await execution.result();
  assert.equal((await execution.status()).progress, 2);
});

test("a cancelled workflow undoes what it did", async () => {
  const execution = await stack.start("compensate", "everything");
  await stack.untilStatus(execution, "suspended");
  await execution.cancel();
  assert.equal((await ended(execution)).failure?.code, "cancelled");
  assert.equal((await execution.status()).progress, "undid everything");
});

test("a workflow can survive its cancellation, and one that cannot be told is ended by it", async () => {
  const surviving = await stack.start("survive_cancellation");
  await stack.untilStatus(surviving, "suspended");
  await surviving.cancel();
  assert.equal(await surviving.result(), "cancelled, and finished all the same");
  const timer = await stack.start("cancel_timer");
  await stack.untilStatus(timer, "suspended");
  await timer.cancel();
  assert.equal((await ended(timer)).failure?.code, "cancelled");
});

test("children are cancelled with their parent", async () => {
  const execution = await stack.start("cancel_with_children", 600_000);
  await stack.until(
    execution,
    "select count(*) = 2 from currant.executions where parent_workflow_id = $1 and status in ('running', 'suspended')",
  );
  await execution.cancel();
  assert.equal((await ended(execution)).failure?.code, "cancelled");
  await stack.until(
    execution,
    "select bool_and(status in ('cancelled', 'failed')) from currant.executions where parent_workflow_id = $1",
  );
});
