/** What workflows can do, in the test kit: the executor is the one that runs in a component. */

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  Cancelled,
  ChildFailed,
  continueAsNew,
  external,
  Failure,
  isCancelled,
  NonRetryable,
  now,
  publish,
  receive,
  sleep,
  step,
  TimedOut,
  task,
  version,
  workflow,
} from "currant";
import { Run } from "currant/testing";

const double = task(async (number: number) => 2 * number);
const add = task(async (one: number, other: number) => one + other);
const fail = task({ retries: 0 }, async (code: string): Promise<number> => {
  throw new Failure(code, "as asked");
});

/** The result of a workflow that is written in place. */
async function result<T>(body: () => Promise<T>, run = new Run()): Promise<T> {
  return run.call(workflow({ name: "tried" }, body));
}

test("calling a task from a workflow is calling the function", async () => {
  assert.equal(await result(async () => (await double(4)) + (await add(1, 2))), 11);
});

test("outside a workflow a task is still a function", async () => {
  assert.equal(await double(4), 8);
  assert.equal(await add(1, 2), 3);
});

test("promises of the language combine operations", async () => {
  assert.deepEqual(
    await result(() => Promise.all([double(1), add(1, 1), sleep("1s"), 7])),
    [2, 2, undefined, 7].map((value) => value ?? null),
  );
  const settled = await result(async () => {
    const all = await Promise.allSettled([double(1), fail("no")]);
    return all.map(({ status }) => status);
  });
  assert.deepEqual(settled, ["fulfilled", "rejected"]);
  assert.equal(await result(() => Promise.any([fail("no"), sleep("2s").then(() => 2), sleep("1s").then(() => 1)])), 1);
});

test("a race is won by what happens first, and its loser can be given up", async () => {
  const run = new Run();
  const winner = await result(async () => {
    const [patience, never] = [sleep("1m"), receive("never")];
    const first = await Promise.race([patience.then(() => "patience"), never]);
    never.cancel();
    return first;
  }, run);
  assert.equal(winner, "patience");
  assert.equal(run.elapsed(), 60_000);
});

test("what was given up throws Cancelled at whoever awaits it", async () => {
  const code = await result(async () => {
    const pause = sleep("1h");
    pause.cancel();
    pause.cancel();
    return pause.then(
      () => "slept",
      (error: Cancelled) => error.code,
    );
  });
  assert.equal(code, "cancelled");
});

test("what is given up before the workflow waits never runs", async () => {
  const run = new Run();
  await result(async () => {
    double(1).cancel();
    await sleep("1s");
  }, run);
  assert.equal(run.called(double), 0);
});

test("setTimeout is durable, and clearTimeout gives it up", async () => {
  const run = new Run();
  const seen = await result(async () => {
    const seen: string[] = [];
    const never = setTimeout(() => seen.push("never"), 10_000);
    setTimeout(() => clearTimeout(never), 5000);
    setTimeout((text: string) => seen.push(text), 0, "at once");
    const ticking = setInterval(() => seen.push("tick"), 8000);
    await new Promise((done) => setTimeout(done, 86_400_000 / 4320));
    clearInterval(ticking);
    return seen;
  }, run);
  assert.deepEqual(seen, ["at once", "tick", "tick"]);
  assert.equal(run.elapsed(), 20_000);
});

test("a callback that throws ends the workflow", async () => {
  const body = async () => {
    setTimeout(() => {
      throw new RangeError("from a timer");
    }, 5);
    await sleep("1h");
  };
  await assert.rejects(result(body), { code: "RangeError", message: "from a timer" });
});

test("five thousand awaits are run before anything is waited for", async () => {
  const run = new Run();
  const awaits = await result(async () => {
    let awaits = 0;
    for (; awaits < 5000; awaits++) await (async () => (async () => null)())();
    await sleep("1s");
    return awaits;
  }, run);
  assert.deepEqual([awaits, run.elapsed()], [5000, 1000]);
});

test("a promise that nothing durable settles is stuck, and said to be", async () => {
  await assert.rejects(
    result(() => new Promise<void>(() => {})),
    { code: "stuck", message: /nothing durable will settle/ },
  );
});

test("a signal that the test never gives is named", async () => {
  await assert.rejects(
    result(async () => receive("approved")),
    { code: "stuck", message: /the test never gives the signal `approved`/ },
  );
});

test("messages are handed out in the order of their arrival", async () => {
  const run = new Run().signalAfter("2s", "word", "second").signal("word", "first");
  const words = await result(async () => [await receive<string>("word"), await receive<string>("word")], run);
  assert.deepEqual(words, ["first", "second"]);
});

test("a message that nobody awaits is consumed by nobody", async () => {
  const word = await result(
    async () => {
      receive("word");
      return receive<string>("word");
    },
    new Run().signal("word", "mine"),
  );
  assert.equal(word, "mine");
});

test("patience for a message has an end, after which it can be asked for again", async () => {
  const run = new Run().signalAfter("61s", "word", "late");
  const words = await result(async () => [(await receive("word", { timeout: "1m" })) ?? "none", await receive("word")], run);
  assert.deepEqual(words, ["none", "late"]);
  assert.equal(run.elapsed(), 61_000);
});

test("a result comes from outside", async () => {
  const body = async () => {
    const answer = external<number>();
    publish(answer.token);
    return answer.result;
  };
  const run = new Run().completeExternal(1, 42);
  assert.equal(await result(body, run), 42);
  assert.equal(run.published(), "external-1");
  await assert.rejects(result(body, new Run().failExternal(1, new Failure("declined", "no"))), { code: "declined" });
});

test("steps run one after the other, when everything else is parked", async () => {
  const order: string[] = [];
  await result(async () => {
    const all = Promise.all([
      step("one", async () => {
        await new Promise((done) => setTimeout(done, 1));
        order.push("one");
      }),
      step("two", () => order.push("two")),
    ]);
    await null;
    order.push("parked");
    await all;
  });
  assert.deepEqual(order, ["parked", "one", "two"]);
});

test("a step answers what its record holds", async () => {
  assert.deepEqual(await result(async () => step("made", () => ({ at: new Date(0), gone: undefined }))), {
    at: "1970-01-01T00:00:00.000Z",
  });
  await assert.rejects(
    result(async () => step("broken", () => Promise.reject(new TypeError("inside")))),
    { code: "TypeError", message: "inside" },
  );
});

test("nothing durable is possible inside a step", async () => {
  const durables: (() => unknown)[] = [
    () => sleep("1s"),
    () => double(1),
    () => receive("x"),
    () => external(),
    () => step("x", () => 1),
  ];
  for (const durable of durables) {
    await assert.rejects(
      result(async () => {
        await step("outer", durable);
      }),
      { code: "not-in-workflow", message: /not possible inside the step `outer`/ },
    );
  }
});

test("durable operations are refused outside a workflow", async () => {
  assert.throws(() => sleep("1s"), { code: "not-in-workflow", message: "`sleep` is only possible in a workflow" });
  const asleep = task({ retries: 0 }, async () => sleep("1s"));
  await assert.rejects(new Run().call(asleep), { code: "not-in-workflow" });
});

test("a failed child is a ChildFailed with its cause, and its code is the workflow's if nobody catches it", async () => {
  const caught = await result(async () => {
    try {
      return await fail("declined");
    } catch (error) {
      assert.ok(error instanceof ChildFailed && error.cause instanceof Failure);
      return [error.code, error.message, error.cause.code];
    }
  });
  assert.deepEqual(caught, ["declined", "as asked", "declined"]);
  await assert.rejects(
    result(() => fail("declined")),
    { code: "declined" },
  );
});

test("a child that timed out is a TimedOut", async () => {
  const slow = task({ retries: 0 }, async () => {
    throw new TimedOut();
  });
  const caught = await result(() => slow().catch((error: unknown) => error instanceof TimedOut));
  assert.equal(caught, true);
});

test("cancellation is thrown once at what is awaited, and what was done can be undone", async () => {
  const undone: number[] = [];
  const undo = task(async (what: number) => {
    undone.push(what);
  });
  const body = async () => {
    try {
      await Promise.all([sleep("1h"), sleep("2h")]);
    } finally {
      assert.ok(isCancelled());
      await undo(1);
      await sleep("5s");
    }
  };
  const run = new Run().cancelAfter("10m");
  await assert.rejects(result(body, run), (error) => error instanceof Cancelled);
  assert.deepEqual([undone, run.elapsed()], [[1], 605_000]);
});

test("who waits for nothing but a callback is cancelled at once", async () => {
  const run = new Run().cancelAfter("1s");
  await assert.rejects(
    result(() => new Promise((done) => setTimeout(done, 3_600_000)), run),
    { code: "cancelled" },
  );
  assert.equal(run.elapsed(), 1000);
});

test("a workflow begins anew, and its unread messages follow", async () => {
  const collect = workflow(async (count: number, seen: unknown[]): Promise<unknown> => {
    const more = [...seen, await receive("word")];
    return more.length === count ? more : continueAsNew(count, more);
  });
  const run = new Run().signal("word", 1).signalAfter("1m", "word", 2);
  assert.deepEqual(await run.call(collect, 2, []), [1, 2]);
  assert.equal(run.elapsed(), 60_000);
});

test("child workflows run beside their parent, and may outlive it", async () => {
  const nap = workflow(async (seconds: number) => {
    await sleep(seconds * 1000);
    return seconds;
  });
  const run = new Run();
  assert.deepEqual(await result(() => Promise.all([nap(5), nap(7)]), run), [5, 7]);
  assert.equal(run.elapsed(), 7000);
  assert.equal(
    await result(async () => {
      nap.with({ detached: true })(3600);
      return "on its way";
    }),
    "on its way",
  );
});

test("a change of code is on its newest side in a test", async () => {
  assert.equal(await result(async () => version("a-change", 1, 3)), 3);
});

test("the clock of the code is that of the workflow, and stands still while it runs", async () => {
  const [before, after, still] = await result(async () => {
    const before = Date.now();
    await sleep("1 day");
    const after = Date.now();
    return [before, after, now().getTime() - after, Date.now() - after] as const;
  });
  assert.equal(after - before, 86_400_000);
  assert.equal(still, 0);
});

test("the network is refused in a workflow, and said where it is possible", async () => {
  await assert.rejects(
    result(async () => {
      await fetch("http://localhost/");
    }),
    { code: "TypeError", message: /call a task, or fetch inside a step/ },
  );
});

test("a workflow that is called outside says how it is tried", async () => {
  const nap = workflow({ name: "nap" }, async () => sleep("1s"));
  assert.throws(() => nap(), /`nap` is a workflow.*await new Run\(\)\.call/);
});

test("a call of a task with more than it takes is refused", async () => {
  const takeMore = double as (...numbers: number[]) => Promise<number>;
  await assert.rejects(
    result(() => takeMore(1, 2)),
    { code: "RangeError", message: /is one value, not 2/ },
  );
});

test("durations that nobody can read are refused in words", async () => {
  await assert.rejects(
    result(async () => sleep("soon")),
    { message: '`sleep` is written like "30s", "1h30m", "2 days" or as milliseconds, not "soon"' },
  );
});

test("a failure that cannot be retried ends a workflow with its code", async () => {
  await assert.rejects(
    result(async () => {
      throw new NonRetryable("not-approved", "nobody approved it");
    }),
    (error) => error instanceof NonRetryable && error.code === "not-approved",
  );
});
