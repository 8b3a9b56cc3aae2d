/** What only tasks in JavaScript do, in a real worker. What every language has is tested for all at once, by `tests/tests/conformance`. */

import assert from "node:assert/strict";
import { before, test } from "node:test";

import { sharedStack } from "../support/shared.js";
import { ended, type Stack } from "../support/stack.js";

let stack: Stack;
before(async () => {
  stack = await sharedStack();
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
});

test("a task that takes too much memory or all the time is ended, and the worker goes on", async () => {
  assert.equal((await stack.failure("allocate", 400)).code, "out-of-memory");
  const looping = await stack.start("loop_forever", null, { timeout: "500ms" });
  assert.equal((await ended(looping)).failure?.code, "timed-out");
  assert.equal(await stack.result("echo", 1), 1);
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
