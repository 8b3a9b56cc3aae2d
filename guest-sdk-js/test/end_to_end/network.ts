/** `fetch`, in a task, in a step and in a workflow. */

import assert from "node:assert/strict";
import { before, test } from "node:test";

import { securePort, sharedPort, sharedStack } from "../support/shared.js";
import { ended, type Stack } from "../support/stack.js";

let stack: Stack;
let port: number;
before(async () => {
  stack = await sharedStack();
  port = await sharedPort();
});

test("a task fetches from a host that was granted", async () => {
  assert.deepEqual(await stack.result("http_get", `http://127.0.0.1:${port}/page`), { status: 200, body: "GET /page" });
  assert.deepEqual(await stack.result("http_get", `http://127.0.0.1:${port}/missing`), { status: 404, body: "GET /missing" });
  assert.deepEqual(await stack.result("http_post", [`http://127.0.0.1:${port}/`, "ünïcode"]), {
    status: 200,
    body: "POST / ünïcode",
    type: "text/plain; charset=utf-8",
  });
});

test("a task fetches by HTTPS from a server of the operator's own authority", async () => {
  const url = `https://localhost:${await securePort()}/safe`;
  assert.deepEqual(await stack.result("http_get", url), { status: 200, body: "GET /safe" });
});

test("why there was no connection stands in the log", async () => {
  const execution = await stack.start("http_get", `https://127.0.0.1:${port}/`);
  assert.match((await ended(execution)).failure?.message ?? "", /cannot fetch https:\/\/127\.0\.0\.1:\d+\//);
  const [line] = await stack.column<string>(execution, "select message from currant.logs where execution_id = $1");
  assert.match(line ?? "", /^request failed: 127\.0\.0\.1:\d+: no secure connection: /);
});

test("a host that was not granted is refused in words, in the failure and in the log", async () => {
  const execution = await stack.start("http_get", "http://127.0.0.1:9/");
  await assert.rejects(execution.result(), (error: Error & { code: string }) => {
    assert.equal(error.code, "TypeError");
    assert.match(
      error.message,
      /127\.0\.0\.1:9 is not granted to this module \(`currant deploy … --allow-http 127\.0\.0\.1:9` grants it\)/,
    );
    return true;
  });
  const [line] = await stack.column<string>(execution, "select message from currant.logs where execution_id = $1");
  assert.match(line ?? "", /^request refused: 127\.0\.0\.1:9 is not granted/);
});

test("a step of a workflow may fetch, and the workflow itself may not", async () => {
  assert.equal(await stack.result("network_in_step", ["127.0.0.1", port]), "GET /");
  const refused = "TypeError: the network is not available in a workflow: call a task, or fetch inside a step";
  assert.equal(await stack.result("network_in_workflow", ["127.0.0.1", port]), refused);
  assert.equal(await stack.result("http_in_workflow", `http://127.0.0.1:${port}/`), refused);
});
