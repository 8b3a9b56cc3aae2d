import assert from "node:assert/strict";
import { test } from "node:test";

import { Run } from "currant/testing";

import { count, countAll } from "./app.js";

const TEXTS = { one: "a rose is a rose", two: "is it a rose", three: "..." };

test("all texts are counted, and what failed is named", async () => {
  const run = new Run();
  const { words, most, failed } = await run.call(countAll, TEXTS, 2);
  assert.equal(words, 9);
  assert.deepEqual(most, [
    ["a", 3],
    ["rose", 3],
    ["is", 2],
    ["it", 1],
  ]);
  assert.deepEqual(failed, { three: "there is nothing to count" });
  assert.equal(run.called(count), 3);
});

test("a count that fails once is made again", async () => {
  const answers = [new Error("the disk is full"), { rose: 1 }];
  const run = new Run().mock(count, () => {
    const answer = answers.shift();
    if (answer === undefined || answer instanceof Error) throw answer;
    return answer;
  });
  assert.equal((await run.call(countAll, { one: "rose" }, undefined)).words, 1);
});
