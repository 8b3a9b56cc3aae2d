/** The examples, as their readers run them. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { before, test } from "node:test";

import { build } from "currant/build";

import { sharedStack } from "../support/shared.js";
import { PACKAGE, type Stack } from "../support/stack.js";

let stack: Stack;
before(async () => {
  stack = await sharedStack();
});

async function deploy(name: string): Promise<void> {
  const output = join(PACKAGE, `build/${name}-js.wasm`);
  const { module } = await build({ app: join(PACKAGE, `../examples/${name}/js/app.ts`), output });
  assert.equal(module.name, `${name}-js`);
  await stack.deploy(output);
}

test("hello says hello", async () => {
  await deploy("hello");
  assert.equal((await stack.currant("start", "hello", "--input", '"Ada"', "--wait")).trim(), '"Hello, Ada!"');
  assert.deepEqual(await stack.result("greet", ["Ada", "Grace"]), ["Hello, Ada!", "Hello, Grace!"]);
});

test("an order is checked out although its worker is killed", async () => {
  await deploy("checkout");
  const input = '{"order": 42, "items": ["mug"], "amount": 1250, "pause_seconds": 1}';
  const id = (await stack.currant("start", "checkout", "--id", "order-42", "--input", input)).trim();
  const order = stack.client.handle<Record<string, unknown>>(id);
  await stack.until(order, "select count(*) > 0 from currant.journal where workflow_id = $1 and kind = 'step'");
  await stack.killWorkers();
  stack.worker();
  await stack.currant("signal", "order-42", "approved", "--payload", '"ada"');
  const { tracking, ...confirmation } = await order.result();
  assert.deepEqual(confirmation, { order: 42, amount: 1250, attempts: 2, approved_by: "ada" });
  assert.match(String(tracking), /^CUR-[0-9A-F]{8}$/);
  const executed = await stack.column(
    order,
    "select function || ' ' || count(*) from currant.executions where parent_workflow_id = $1 and status = 'completed' group by function order by function",
  );
  assert.deepEqual(executed, ["charge 1", "reserve 1", "ship 1"]);
});

test("texts are counted side by side", async () => {
  await deploy("fan-out");
  assert.deepEqual(await stack.result("count_all", [{ one: "a rose is a rose", two: "is it a rose", three: "..." }, 2]), {
    words: 9,
    most: [
      ["a", 3],
      ["rose", 3],
      ["is", 2],
      ["it", 1],
    ],
    failed: { three: "there is nothing to count" },
  });
  assert.equal((await stack.result<{ words: number }>("count_all", [{ one: "a" }])).words, 1, "the number may be left out");
});
