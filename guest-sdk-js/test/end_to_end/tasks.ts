/** How tasks of a component end, in a real worker. */

import assert from "node:assert/strict";
import { before, test } from "node:test";

import { sharedStack } from "../support/shared.js";
import { ended, type Stack } from "../support/stack.js";

let stack: Stack;
before(async () => {
  stack = await sharedStack();
});

test("a task returns what it was given", async () => {
  const value = { text: 'ünïcode " \\ \n', numbers: [1, -2.5, 1e300], nested: { a: [null, true] } };
  assert.deepEqual(await stack.result("echo", value), value);
});

test("values are kept byte for byte by live runs and replays", async () => {
  const text = '{"b" : 1.0, "a":1e2,  "big":12345678901234567890123, "twice": 1, "twice":2}';
  for (const name of ["echo", "json_bytes", "echo_flow"]) {
    const { rows } = await stack.database.query("select id from currant.enqueue($1, $2::text::json)", [name, text]);
    const execution = stack.client.handle(String(rows[0]?.id));
    await ended(execution);
    assert.deepEqual(await stack.column(execution, "select result::text from currant.outcomes where id = $1"), [text], name);
  }
});

test("a failed attempt is tried again, and its attempts are on record", async () => {
  const execution = await stack.start("fail_until_attempt", 3);
  assert.equal(await execution.result(), 3);
  assert.deepEqual(await stack.column(execution, "select failure ->> 'code' from currant.attempts where id = $1"), [
    "not-yet",
    "not-yet",
  ]);
});

test("a failure has its code, message and details, and is not retried when that cannot help", async () => {
  const execution = await stack.start("fail", { code: "declined", message: "the card was declined", details: { card: "…42" } });
  const { failure } = await ended(execution);
  assert.deepEqual([failure?.code, failure?.message, failure?.details], ["declined", "the card was declined", { card: "…42" }]);
  assert.deepEqual(await stack.column(execution, "select attempt from currant.attempts where id = $1"), []);
});

test("an error has a stack that names the author's files and lines", async () => {
  const failure = await stack.failure("panic", "the sky fell");
  assert.deepEqual([failure.code, failure.message], ["RangeError", "the sky fell"]);
  const { stack: frames } = failure.details as { stack: string };
  assert.match(
    frames,
    /^RangeError: the sky fell\n {4}at inner \(test\/behaviours\/misdeeds\.ts:\d+:\d+\)\n {4}at outer \(test\/behaviours\/misdeeds\.ts:\d+:\d+\)\n {4}at async panic \(test\/behaviours\/misdeeds\.ts:\d+:\d+\)$/,
  );
});

test("an error's causes are in its message and its stack", async () => {
  const failure = await stack.failure("fail_by_error", "x");
  assert.equal(failure.code, "OutOfStock");
  assert.match(failure.message, /^no number on the shelf: JSON\.parse/);
  assert.match((failure.details as { stack: string }).stack, /caused by SyntaxError/);
});

test("input that the function does not take is a failure that names the place", async () => {
  const failure = await stack.failure("fail", { code: 7 });
  assert.deepEqual(
    [failure.code, failure.message],
    ["invalid-input", "the input of `fail` is not what is expected: code: a text was expected"],
  );
});

test("what is no error, too deep, or no JSON fails in words", async () => {
  assert.match((await stack.failure("throw_text", "oh")).message, /something that is no error was thrown: oh/);
  assert.match((await stack.failure("recurse")).message, /too much recursion/);
  assert.equal((await stack.failure("answer_bigint")).code, "invalid-value");
  assert.equal((await stack.failure("sleep_durably")).code, "not-in-workflow");
});

test("a task that takes too long, too much memory or all the time is ended, and the worker goes on", async () => {
  assert.equal((await stack.failure("overrun", 600_000)).code, "timed-out");
  assert.equal((await stack.failure("allocate", 400)).code, "out-of-memory");
  const looping = await stack.start("loop_forever", null, { timeout: "500ms" });
  assert.equal((await ended(looping)).failure?.code, "timed-out");
  assert.equal(await stack.result("echo", 1), 1);
});

test("a task is told of its cancellation", async () => {
  for (const [name, input] of [["heartbeat_loop", 5], ["watch_for_cancellation"]] as const) {
    const execution = await stack.start(name, input);
    await stack.untilStatus(execution, "running");
    assert.equal(await execution.cancel(), "requested");
    assert.equal((await ended(execution)).failure?.code, "cancelled", name);
  }
});

test("a task that falls silent is ended by its heartbeat", async () => {
  assert.equal((await stack.failure("fall_silent", 600_000)).code, "timed-out");
});

test("heartbeats are the progress that everybody sees", async () => {
  const execution = await stack.start("heartbeat_loop", 5);
  await stack.until(execution, "select progress is not null from currant.executions where id = $1");
  assert.equal(typeof (await execution.status()).progress, "number");
  await execution.cancel();
  await ended(execution);
});

test("a task knows itself", async () => {
  const execution = await stack.start<Record<string, unknown>>("context", null, { taskId: "my-key", queue: "mine" });
  const context = await execution.result();
  assert.deepEqual(
    [context.id, context.task_id, context.function, context.queue, context.attempt, context.parent],
    [execution.id, "my-key", "context", "mine", 1, null],
  );
  assert.ok(Number(context.deadline_ms) > Date.now());
  assert.match(String(context.trace_id), /^[0-9a-f]{32}$/);
});

test("a variable is what was granted, and nothing else is there", async () => {
  assert.equal(await stack.result("read_env", "GREETING"), "hello");
  assert.equal(await stack.result("read_env", "PATH"), null);
  assert.equal(await stack.result("read_process_env"), "hello");
  assert.deepEqual(await stack.result("read_environment"), { GREETING: "hello" });
});

test("telemetry becomes log lines with attributes, and console is kept", async () => {
  const execution = await stack.start("telemetry", 2);
  await ended(execution);
  const lines = await stack.column<string>(
    execution,
    "select level || ' ' || message from currant.logs where execution_id = $1 order by run, line",
  );
  for (const line of ["info line 0", "info line 1", "debug fine", "warn odd", "error wrong"])
    assert.ok(lines.includes(line), line);
  const printed = await stack.start("print", 100);
  await ended(printed);
  assert.ok((await stack.column(printed, "select message from currant.logs where execution_id = $1")).length >= 2);
});

test("two executions draw different values, although they begin with the same memory", async () => {
  const draws = await Promise.all(
    [1, 2, 3].map(() => stack.result<{ system: number[]; generator: number[]; uuid: string }>("read_random")),
  );
  for (const part of ["system", "generator", "uuid"] as const) {
    assert.equal(new Set(draws.map((draw) => JSON.stringify(draw[part]))).size, 3, part);
  }
  const [now] = await stack.result<[number]>("read_clock");
  assert.ok(Math.abs(now - Date.now()) < 60_000, "the clock is not that of the build");
});

test("a queue that is slowed down costs no attempt", async () => {
  const execution = await stack.start("rate_limited_once", 60_000);
  await stack.until(execution, "select rate_limited > 0 from currant.ready where id = $1");
  assert.deepEqual(await stack.column(execution, "select attempt from currant.attempts where id = $1"), []);
});
