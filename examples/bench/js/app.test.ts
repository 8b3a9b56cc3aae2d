import assert from "node:assert/strict";
import { test } from "node:test";

import { Run } from "currant/testing";

import { noop, steps, tasks, wait } from "./app.js";

test("nothing is done in order", async () => {
  const run = new Run().signal("go", [1]);
  await run.call(steps, 3);
  await run.call(tasks, 3);
  assert.equal(run.called(noop), 3);
  assert.deepEqual(await run.call(wait), [1]);
});
