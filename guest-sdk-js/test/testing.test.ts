/** The test kit itself. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { context, env, Failure, heartbeat, lastProgress, publish, RateLimited, sleep, task, workflow } from "currant";
import { Run } from "currant/testing";

const charge = task({ queue: "payments", retries: 5, backoff: "500ms" }, async (amount: number): Promise<string> => {
  throw new Failure("no-network", `not in a test: ${amount}`);
});

const pay = workflow(async (amount: number) => {
  publish("paying");
  await sleep("1 day");
  return charge(amount);
});

test("a mock takes the place of a function, by itself or by its name", async () => {
  const run = new Run().mock(charge, (amount) => `paid ${amount}`);
  assert.equal(await run.call(pay, 12), "paid 12");
  assert.deepEqual([run.elapsed(), run.called(charge), run.published()], [86_400_000, 1, "paying"]);

  const named = new Run({ charge, pay }).mock("charge", (amount: number) => `also paid ${amount}`);
  assert.equal(await named.call(pay, 12), "also paid 12");
  assert.equal(named.called("charge"), 1);
});

test("a mock can be of another module's function, which is otherwise unknown", async () => {
  const convert = workflow(async (euros: number) => task.named<[number], number>("dollars")(euros));
  assert.equal(await new Run().mock("dollars", (euros: number) => euros * 2).call(convert, 4), 8);
  await assert.rejects(new Run().call(convert, 4), { code: "unknown-function", message: /mock it, run\.mock\("dollars"/ });
});

test("a mock that throws is a failure of the attempt, which is retried as the task says", async () => {
  let calls = 0;
  const run = new Run().mock(charge, () => {
    calls += 1;
    if (calls < 3) throw new Failure("busy", "not yet");
    return "paid";
  });
  assert.equal(await run.call(charge, 1), "paid");
  assert.deepEqual([run.called(charge), run.elapsed()], [3, 1500], "after 500 ms and 1 s");
});

test("retries end, and what cannot be retried is not", async () => {
  const run = new Run();
  await assert.rejects(run.call(charge, 1), { code: "no-network" });
  assert.equal(run.called(charge), 6);
  run.mock(charge, () => {
    throw new Failure("declined", "no", { retryable: false });
  });
  await assert.rejects(run.call(charge, 1), { code: "declined" });
  assert.equal(run.called(charge), 1);
});

test("the options of one call change the rest of the function's own", async () => {
  const run = new Run();
  const once = workflow(async () =>
    charge
      .with({ retries: 1, delay: "10s" })(1)
      .catch(() => "failed"),
  );
  assert.equal(await run.call(once), "failed");
  assert.deepEqual([run.called(charge), run.elapsed()], [2, 10_500]);
});

test("a queue that is slowed down costs no retry", async () => {
  let calls = 0;
  const limited = task({ retries: 0 }, async () => {
    calls += 1;
    if (calls < 4) throw new RateLimited("30s");
    return context().attempt;
  });
  const run = new Run();
  assert.equal(await run.call(limited), 1);
  assert.equal(run.elapsed(), 90_000);
});

test("the next attempt reads what the previous one said last", async () => {
  const resume = task({ retries: 1, backoff: 0 }, async (rounds: number) => {
    const begin = lastProgress<number>() ?? 0;
    for (let round = begin; round < rounds; round++) {
      heartbeat(round);
      if (begin === 0 && round === 3) throw new Failure("half-way", "stopped");
    }
    return begin;
  });
  assert.equal(await new Run().call(resume, 6), 3);
});

test("each execution knows itself", async () => {
  const who = task({ queue: "mine" }, async () => [context().queue, context().attempt, context().taskId]);
  const both = workflow(async () => [await who(), await who.with({ queue: "theirs", taskId: "key" })(), context().queue]);
  assert.deepEqual(await new Run().call(both), [["mine", 1, null], ["theirs", 1, "key"], "default"]);
});

test("variables are those of the test", async () => {
  const region = task(async () => [env.REGION, process.env.REGION ?? null, "REGION" in env]);
  assert.deepEqual(await new Run().env({ REGION: "eu" }).call(region), ["eu", null, true]);
});

test("what a function answers is what JSON keeps of it", async () => {
  const answer = task({ retries: 0 }, async () => ({ date: new Date(0), nothing: undefined }));
  assert.deepEqual(await new Run().call(answer), { date: "1970-01-01T00:00:00.000Z" });
  const big = task({ name: "big", retries: 0 }, async () => 1n);
  await assert.rejects(new Run().call(big), {
    code: "invalid-value",
    message: /the result of `big` cannot be written as JSON/,
  });
});

test("runs side by side do not see each other", async () => {
  const nap = workflow(async (hours: number) => {
    const began = Date.now();
    await sleep(hours * 3_600_000);
    return (Date.now() - began) / 3_600_000;
  });
  const runs = [1, 2, 3].map((hours) => new Run().call(nap, hours));
  assert.deepEqual(await Promise.all(runs), [1, 2, 3]);
});

test("the usual clock and timers are back afterwards", async () => {
  const { Date: date, setTimeout: timer, fetch: network } = globalThis;
  await new Run().call(workflow(async () => sleep("1h")));
  assert.deepEqual([globalThis.Date, globalThis.setTimeout, globalThis.fetch], [date, timer, network]);
});
