/** What ordinary programs do: the client, and the worker's launcher. */

import assert from "node:assert/strict";
import { dirname } from "node:path";
import { after, before, test } from "node:test";

import { Client, type EnqueueOptions, enqueue, enqueueMany, NotEnded } from "currant/client";
import { Worker } from "currant/worker";
import pg from "pg";

import { sleepFlow } from "../behaviours/waiting.js";
import { sharedStack } from "../support/shared.js";
import { PATIENCE, program, type Stack } from "../support/stack.js";

let stack: Stack;
before(async () => {
  stack = await sharedStack();
});

test("a function is started by its name, or by itself", async () => {
  const byName = await stack.client.enqueue("sleep_flow", 20);
  assert.ok(Number(await byName.result()) >= 20);
  assert.throws(() => sleepFlow(1), /is a workflow/);
  await assert.rejects(stack.client.enqueue(sleepFlow, 20), /has no name/);
});

test("the same key is the same execution, with its result, and a conflict is said", async () => {
  const first = await stack.client.enqueue("echo", 1, { taskId: "only-once" });
  assert.deepEqual([first.created, first.conflict], [true, false]);
  assert.equal(await first.result(), 1);
  const second = await stack.client.enqueue("echo", 1, { taskId: "only-once" });
  assert.deepEqual([second.id, second.created, second.conflict], [first.id, false, false]);
  assert.equal(await second.result(), 1);
  const other = await stack.client.enqueue("echo", 2, { taskId: "only-once" });
  assert.deepEqual([other.id, other.conflict], [first.id, true]);
});

/** How an execution comes into each status, and by which function. */
const STATUSES: Record<string, { name: string; input?: unknown; options?: EnqueueOptions }> = {
  pending: { name: "echo", input: 1, options: { delay: "1 hour" } },
  running: { name: "watch_for_cancellation" },
  suspended: { name: "wait_signal", input: "go" },
  completed: { name: "echo", input: 1 },
  failed: { name: "fail", input: { code: "declined" }, options: { retries: 0 } },
  cancelled: { name: "echo", input: 1, options: { delay: "1 hour" } },
  timed_out: { name: "watch_for_cancellation", options: { timeout: 100, retries: 0 } },
};

for (const [status, { name, input, options }] of Object.entries(STATUSES)) {
  test(`a key of an execution that is ${status}`, async () => {
    const taskId = `key-${status}`;
    const first = await stack.client.enqueue(name, input, { ...options, taskId });
    if (status === "cancelled") await first.cancel();
    await stack.until(first, `select currant.status_of($1::uuid) = '${status}'`);
    const again = await stack.client.enqueue(name, input, { ...options, taskId });
    if (["failed", "cancelled", "timed_out"].includes(status)) {
      assert.deepEqual([again.created, again.conflict], [true, false]);
      assert.notEqual(again.id, first.id);
      await again.cancel();
      return;
    }
    const otherInput = await stack.client.enqueue(name, "another", { taskId });
    const otherFunction = await stack.client.enqueue("sleep_flow", input, { taskId });
    const seen = [again, otherInput, otherFunction];
    assert.deepEqual(
      seen.map(({ id, created, conflict }) => [id, created, conflict]),
      [false, true, true].map((conflict) => [first.id, false, conflict]),
    );
    if (status === "completed") assert.equal(await again.result(), 1);
    else await first.cancel();
  });
}

test("many are started in one call and in their order", async () => {
  const handles = await stack.client.enqueueMany("echo", [1, { b: 2 }, null], { queue: "many", retries: 1 });
  assert.deepEqual(await Promise.all(handles.map((handle) => handle.result())), [1, { b: 2 }, null]);
  const ids = handles.map(({ id }) => id);
  assert.deepEqual(ids, ids.toSorted());
  assert.deepEqual(await enqueueMany(stack.database, "echo", []), []);
});

test("a queue is configured, paused and reset", async () => {
  const settings = async () =>
    (await stack.database.query("select command_settings from currant.queues where name = 'tuned'")).rows[0]?.command_settings;
  await stack.client.configureQueue("tuned", {
    rateLimit: "100/s",
    concurrency: 3,
    retention: "7d",
    retentionFailed: "forever",
  });
  assert.deepEqual(await settings(), {
    rate_limit: "100/sec",
    concurrency: 3,
    retention_tasks: 604_800_000,
    retention_workflows: 604_800_000,
    retention_failed: 315_576_000_000_000,
  });
  await stack.client.configureQueue("tuned", { concurrency: null });
  assert.equal((await settings()).concurrency, null);
  await stack.client.resetQueue("tuned", "concurrency", "retention", "retentionFailed");
  assert.deepEqual(await settings(), { rate_limit: "100/sec" });
  await stack.client.resetQueue("tuned");
  assert.deepEqual(await settings(), {});

  await stack.client.pauseQueue("tuned");
  const held = await stack.client.enqueue("echo", 1, { queue: "tuned" });
  assert.equal(await (await stack.client.enqueue("echo", 2)).result(), 2);
  assert.equal((await held.status()).status, "pending");
  await stack.client.resumeQueue("tuned");
  assert.equal(await held.result(), 1);
  await assert.rejects(stack.client.configureQueue("tuned", { rateLimit: "fast" }), /'fast' is not a rate/);
  const misspelt = { speed: 1 } as object;
  await assert.rejects(stack.client.configureQueue("tuned", misspelt), /there is no setting `speed` of queues/);
});

test("what can be said about an execution is on its record", async () => {
  const runAt = new Date(Date.now() + 3_600_000);
  const execution = await stack.client.enqueue(
    "echo",
    { x: 1 },
    {
      queue: "later",
      priority: -3,
      runAt,
      timeout: "30s",
      queueTimeout: "2 days",
      totalTimeout: "1 week",
      retries: 7,
      concurrencyKey: "tenant-1",
      tags: ["blue"],
      traceContext: { trace_id: "0123456789abcdef0123456789abcdef", baggage: { tenant: "a" } },
    },
  );
  const [row] = await stack.column<Record<string, unknown>>(
    execution,
    "select to_jsonb(r) from currant.requests r where id = $1",
  );
  assert.deepEqual(
    [row?.queue, row?.priority, row?.concurrency_key, row?.tags, row?.trace_id, row?.retry],
    ["later", -3, "tenant-1", ["blue"], "01234567-89ab-cdef-0123-456789abcdef", { retries: 7 }],
  );
  assert.deepEqual(row?.timeouts, { attempt_ms: 30_000, queue_ms: 172_800_000, total_ms: 604_800_000 });
  assert.equal((await execution.status()).status, "pending");
  assert.equal(await execution.cancel(), "cancelled");
  await assert.rejects(execution.result(), { code: "cancelled" });
});

test("a wait has an end, and the execution goes on", async () => {
  const execution = await stack.client.enqueue("wait_signal", "word");
  await assert.rejects(execution.result({ timeout: 50 }), (error) => error instanceof NotEnded && error.id === execution.id);
  assert.equal(await execution.signal("word", "now", { dedupId: "once" }), true);
  assert.equal(await execution.result({ timeout: PATIENCE }), "now");
  assert.equal((await execution.status()).status, "completed");
});

test("a signal with an id is sent once", async () => {
  const execution = await stack.client.enqueue("two_signals_in_order", "word");
  assert.deepEqual(
    [await execution.signal("word", 1, { dedupId: "a" }), await execution.signal("word", 2, { dedupId: "a" })],
    [true, false],
  );
  await execution.signal("word", 3);
  assert.deepEqual(await execution.result(), [1, 3]);
});

test("many wait on one connection that holds no transaction, and none is left behind", async () => {
  const executions = await Promise.all(Array.from({ length: 30 }, (_, number) => stack.client.enqueue("sleep_flow", number)));
  const results = Promise.all(executions.map((execution) => execution.result()));
  const { rows } = await stack.database.query(
    "select count(*)::int as open from pg_stat_activity where datname = current_database() and state = 'idle in transaction' and query like 'listen%'",
  );
  assert.equal(rows[0]?.open, 0);
  await results;
  await stack.until(
    { id: executions[0]?.id ?? "" },
    "select $1::text is not null and not exists (select from pg_stat_activity where datname = current_database() and query like 'listen currant_ended')",
  );
});

test("an end is heard of at once, and without the notification by the poll", async () => {
  const deaf = new Client({
    query: (text: string, values: unknown[]) => stack.database.query(text, values),
    connect: () => Promise.reject(new Error("no connection is left")),
  });
  const execution = await deaf.enqueue("sleep_flow", 10);
  assert.ok(Number(await execution.result({ timeout: PATIENCE })) >= 10);
  await deaf.close();
});

test("an execution starts with the caller's transaction, or not at all", async () => {
  const connection = new pg.Client({ connectionString: stack.url });
  await connection.connect();
  await connection.query("begin");
  const dropped = await enqueue(connection, "echo", "dropped");
  await connection.query("rollback");
  await connection.query("begin");
  const kept = await enqueue(connection, "echo", "kept", { taskId: "kept" });
  assert.equal(kept.created, true);
  await connection.query("commit");
  await connection.end();
  assert.equal(await stack.client.handle(kept.id).result(), "kept");
  await assert.rejects(stack.client.handle(dropped.id).result(), /there is no execution/);
  await assert.rejects(stack.client.handle(dropped.id).status(), /there is no execution/);
});

test("what failed is tried again by hand", async () => {
  const execution = await stack.client.enqueue("fail", { code: "declined", message: "no", details: { card: 4 } });
  await assert.rejects(execution.result(), { code: "declined", message: "no", details: { card: 4 } });
  await execution.retry();
  await assert.rejects(execution.result(), { code: "declined" });
  assert.equal((await execution.status()).attempt, 2);
});

test("what is wrong is said by the database or before it", async () => {
  await assert.rejects(stack.client.enqueue("Not A Name"), {
    code: "CU400",
    message: /the function name 'Not A Name' is not valid/,
  });
  await assert.rejects(stack.client.enqueue("echo", 1n), { code: "invalid-value" });
  await assert.rejects(stack.client.enqueue("echo", 1, { timeout: "soon" }), RangeError);
  const missing = stack.client.handle("00000000-0000-7000-8000-000000000000");
  await assert.rejects(missing.signal("word"), { code: "CU404" });
});

test("closing a client ends the waits", async () => {
  const client = new Client(stack.url);
  const execution = await client.enqueue("wait_signal", "never");
  const waiting = assert.rejects(execution.result(), /before the client was closed/);
  await stack.untilStatus(execution, "suspended");
  await client.close();
  await waiting;
  await stack.client.handle(execution.id).cancel();
});

test("a worker runs from a program with its settings, and stops when asked", async () => {
  const env = { ...process.env, ...stack.env(), CURRANT_HOME: dirname(program("currant-host")) } as Record<string, string>;
  const worker = new Worker({ databaseUrl: stack.url, slots: 3, queues: ["only-mine"], lease: "3s", env, stderr: "ignore" });
  await assert.rejects(worker.ended(), /was not started/);
  await worker.start();
  await assert.rejects(worker.start(), /started before/);
  assert.ok(worker.pid);
  after(() => worker.stop());
  await stack.until(
    { id: "" },
    "select $1::text is not null and exists (select from currant.worker_heartbeats where slots = 3 and queues = '{only-mine}')",
  );
  assert.equal(await worker.stop(), 0);
});

test("a worker whose program is not installed says what to do", async () => {
  const worker = new Worker({ env: { CURRANT_HOME: "/nowhere" } });
  await assert.rejects(worker.start(), /the program `currant-host` is not in CURRANT_HOME \(\/nowhere\)\n {2}hint: install it/);
});
