import assert from "node:assert/strict";
import { test } from "node:test";

import { Run } from "currant/testing";

import { letter } from "./app.js";

test("the customer is told what it costs", async () => {
  assert.equal(await new Run().call(letter, "Ada", 2850), "Dear Ada,\n\nthat makes 28.50. Thank you!\n");
});

test("the customer is told why there is nothing to pay", async () => {
  assert.match(await new Run().call(letter, "Ada", 0, "we have no teapot"), /we have no teapot\. Sorry!/);
});
