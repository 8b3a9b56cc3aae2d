/** Durations, values, failures and names. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Failure, Json, type StandardSchema, task, workflow } from "currant";
import { Run } from "currant/testing";

import { enqueueStatement } from "../src/client/statements.js";
import { milliseconds } from "../src/durations.js";
import { failureOf, recordOf } from "../src/failures.js";
import { collect, nameOfExport } from "../src/functions.js";
import { environmentOf } from "../src/worker.js";

test("lengths of time are read as people write them", () => {
  const lengths: [string | number, number][] = [
    ["500ms", 500],
    ["30s", 30_000],
    ["1h30m", 5_400_000],
    ["1 day", 86_400_000],
    ["2 days, 3 hours", 183_600_000],
    ["1 week", 604_800_000],
    ["0.1s", 100],
    ["1.0005 s", 1001],
    [0.2, 1],
    [0, 0],
  ];
  for (const [text, length] of lengths) assert.equal(milliseconds(text), length, String(text));
  for (const wrong of ["", "1", "soon", "1 moon", "1h and", -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => milliseconds(wrong), RangeError, String(wrong));
  }
});

test("an error gives its class, its chain and its stack", () => {
  class OutOfStock extends Error {}
  const record = recordOf(new OutOfStock("cannot reserve", { cause: new TypeError("shelf 3 is empty") }));
  assert.equal(record.code, "OutOfStock");
  assert.equal(record.message, "cannot reserve: shelf 3 is empty");
  assert.ok(record.retryable);
  assert.match(JSON.parse(record.details ?? "").stack, /values\.test[\s\S]*caused by TypeError: shelf 3 is empty/);
});

test("what is thrown and is no error is said to be none", () => {
  assert.equal(recordOf("oh").message, "something that is no error was thrown: oh");
  assert.equal(recordOf({ a: 1 }).message, 'something that is no error was thrown: {"a":1}');
  assert.equal(recordOf(undefined).message, "something that is no error was thrown: undefined");
});

test("causes that go in circles end", () => {
  const error = new Error("round");
  error.cause = error;
  assert.equal(recordOf(error).message, "round");
});

test("a failure comes back as what it was, byte for byte", () => {
  const record = { code: "sold-out", message: "2 items", details: '{"b": 1.10}', retryable: false, retryAfter: undefined };
  const failure = failureOf(record, "reserve");
  assert.equal(failure.name, "ChildFailed");
  assert.deepEqual(failure.details, { b: 1.1 });
  assert.deepEqual(failure.toRecord(), record);
});

test("a failure must not fail", () => {
  const round: { self?: unknown } = {};
  round.self = round;
  assert.equal(new Failure("odd", "", { details: round }).details, undefined);
});

test("an input is checked by a function or a schema, and says where it is wrong", async () => {
  const byFunction = task({ name: "by_function", retries: 0, input: (value) => Number(value) + 0.5 }, async (number) => number);
  assert.equal(await new Run().call(byFunction, 1), 1.5);
  const schema: StandardSchema<{ items: string[] }> = {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: () => ({ issues: [{ message: "a text was expected", path: ["items", { key: 0 }] }] }),
    },
  };
  const bySchema = task({ name: "by_schema", retries: 3, input: schema }, async (order) => order.items);
  const run = new Run();
  await assert.rejects(run.call(bySchema, { items: [] }), {
    code: "invalid-input",
    message: "the input of `by_schema` is not what is expected: items.0: a text was expected",
  });
  assert.equal(run.called(bySchema), 1, "no other attempt can help");
});

test("a Json is the same text, byte for byte", async () => {
  const text = '{"b" : 1.0, "a":1e2,  "big":12345678901234567890123, "twice": 1, "twice":2}';
  const echo = task({ input: Json, result: Json }, async (value: Json) => value);
  const flow = workflow({ input: Json, result: Json }, async (value: Json) => echo(value));
  const answer = await new Run().call(flow, new Json(text));
  assert.equal(answer.text, text);
  assert.throws(() => new Json("{"), SyntaxError);
});

test("names of exports become names of functions", () => {
  assert.equal(nameOfExport("chargeCard"), "charge_card");
  assert.equal(nameOfExport("callHTTPApi"), "call_http_api");
  assert.equal(nameOfExport("v2Charge"), "v2_charge");
  const one = task(async () => 1);
  const found = collect({
    "a.js": { chargeCard: one, other: 7 },
    "b.js": { again: one, named: task({ name: "my-own" }, async () => 2) },
  });
  assert.deepEqual([...found.keys()], ["charge_card", "my-own"]);
});

test("functions whose names clash, are missing or are none are refused with their files", () => {
  const tasks = [1, 2, 3, 4].map((number) => task(async () => number));
  assert.throws(
    () => collect({ "a.js": { pay: tasks[0] }, "b.js": { pay: tasks[1] } }),
    /two functions are called `pay`: `\w+` of a\.js and `\w+` of b\.js/,
  );
  assert.throws(() => collect({ "a.js": { default: tasks[2] } }), /the default export of a\.js is a task without a name/);
  assert.throws(() => collect({ "a.js": { bezahlt_für: tasks[3] } }), /`bezahlt_für` \(a\.js\) is no name for a function/);
});

test("an option of another name is refused, with the one that was meant", () => {
  const options = (given: object) => given as Record<string, never>;
  assert.throws(
    () => task(options({ retrys: 3 }), async function pay() {}),
    /^TypeError: the task `pay` has no option `retrys`: did you mean `retries`\?$/,
  );
  const pay = task(async () => 1);
  assert.throws(
    () => pay.with(options({ task_id: "a" })),
    /a call of the task has no option `task_id`: did you mean `taskId`\?/,
  );
  assert.throws(() => pay.with(options({ detached: true })), /no option `detached`: there are queue, /);
  assert.throws(() => enqueueStatement("pay", 1, options({ task_id: "a" })), /`enqueue` has no option `task_id`/);
  assert.throws(() => environmentOf(options({ concurrency: 3 })), /`Worker` has no option `concurrency`/);
});
