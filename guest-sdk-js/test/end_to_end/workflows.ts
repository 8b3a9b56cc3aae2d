/** What only workflows in JavaScript do, in a real worker. What every language has is tested for all at once, by `tests/tests/conformance`. */

import assert from "node:assert/strict";
import { before, test } from "node:test";

import { Failure } from "currant/client";

import { sharedStack } from "../support/shared.js";
import { ended, type Stack } from "../support/stack.js";

let stack: Stack;
before(async () => {
  stack = await sharedStack();
});

test("promises of the language combine what is durable", async () => {
  assert.deepEqual(await stack.result("any_and_settled"), ["right", ["fulfilled", "rejected"]]);
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

test("a step has the usual timers, and nothing durable", async () => {
  assert.ok((await stack.result<number>("slow_step", 50)) >= 50, "timers inside a step are the usual ones");
  assert.match(await stack.result<string>("sleep_in_step"), /not possible inside the step `asleep`/);
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
});

test("errors after a replay, and those of callbacks, have their place", async () => {
  const failure = await stack.failure("panic_flow", "boo");
  assert.match(
    (failure.details as { stack: string }).stack,
    /^RangeError: boo\n {4}at panicFlow \(test\/behaviours\/refused\.ts:\d+:\d+\)$/,
  );
  assert.equal((await stack.failure("throw_in_timer")).message, "from a timer");
});

test("a workflow that cannot be told of its cancellation is ended by it", async () => {
  const timer = await stack.start("cancel_timer");
  await stack.untilStatus(timer, "suspended");
  await timer.cancel();
  assert.equal((await ended(timer)).failure?.code, "cancelled");
});
