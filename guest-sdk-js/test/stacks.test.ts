/** Source maps, without a component. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { transform } from "esbuild";

import { frames } from "../src/stacks.js";

test("frames of the bundle are shown in the author's file", async () => {
  const source =
    "interface Order { n: number }\n\nexport function charge(order: Order): never {\n    throw new Error(String(order.n));\n}\n";
  const { code, map } = await transform(source, { loader: "ts", sourcemap: "external", sourcefile: "src/pay.ts" });
  const { sources, mappings } = JSON.parse(map);
  const line = code.split("\n").findIndex((text) => text.includes("throw"));
  const column = (code.split("\n")[line] ?? "").indexOf("new Error") + 1;
  const stack = [
    `charge@bundle.js:${line + 1}:${column}`,
    `async*outer/<@bundle.js:${line + 1}:${column}`,
    "run@/tmp/x/initializer.js:1661:28",
    "",
  ].join("\n");
  assert.deepEqual(frames(stack, { file: "bundle.js", sources, mappings }), [
    "    at charge (src/pay.ts:4:11)",
    "    at async outer (src/pay.ts:4:11)",
  ]);
});

test("frames of other files, and of none, are left out", async () => {
  assert.deepEqual(frames("charge@bundle.js:1:1\n", { file: "bundle.js", sources: [null], mappings: "AAAA" }), []);
  assert.deepEqual(frames("charge@bundle.js:9:1\n", { file: "bundle.js", sources: ["a.js"], mappings: "AAAA" }), []);
  assert.deepEqual(frames("nonsense", undefined), []);
});
