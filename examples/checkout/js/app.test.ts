import assert from "node:assert/strict";
import { test } from "node:test";

import { Run } from "currant/testing";

import { charge, checkout, type Order, release, reserve, ship } from "./app.js";

const order: Order = { order: 42, items: ["mug"], amount: 1250 };

test("an approved order is shipped once, and charged at the second attempt", async () => {
  const run = new Run().signalAfter("20s", "approved", "ada");
  const confirmation = await run.call(checkout, order);
  assert.deepEqual([confirmation.order, confirmation.attempts, confirmation.approved_by], [42, 2, "ada"]);
  assert.deepEqual([run.called(reserve), run.called(charge), run.called(ship)], [1, 2, 1]);
  assert.equal(run.elapsed(), 20_000);
});

test("an order that nobody approves is put back", async () => {
  const run = new Run();
  await assert.rejects(run.call(checkout, order), { code: "not-approved" });
  assert.deepEqual([run.called(release), run.called(ship)], [1, 0]);
});

test("each task works alone", async () => {
  assert.equal((await reserve(order)).shelf, "shelf-0");
  await assert.rejects(charge(order), { code: "card-network-busy" });
  assert.equal((await new Run().call(charge, order)).attempt, 2);
  assert.equal((await ship(order, "CUR-1")).tracking, "CUR-1");
});
