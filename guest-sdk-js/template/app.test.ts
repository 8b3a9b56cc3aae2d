import assert from "node:assert/strict";
import { test } from "node:test";

import { Run } from "currant/testing";

import { greet, hello } from "./app.ts";

test("everybody is greeted", async () => {
  const run = new Run();
  assert.deepEqual(await run.call(greet, ["Ada", "Grace"]), ["Hello, Ada!", "Hello, Grace!"]);
  assert.equal(run.called(hello), 2);
});
