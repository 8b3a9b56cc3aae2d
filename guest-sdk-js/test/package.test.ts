/** What must agree with what is written elsewhere. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { VERSION } from "../src/version.js";
import { environmentOf } from "../src/worker.js";

const file = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

test("the version is that of the package", () => {
  assert.equal(JSON.parse(file("package.json")).version, VERSION);
});

test("every function of the contract is declared as componentize-js passes it", () => {
  const declared = file("src/bindings.d.ts");
  for (const name of ["context", "workflow", "task", "telemetry"]) {
    const begin = declared.indexOf(`declare module "currant:guest/${name}@0.1.0"`);
    assert.notEqual(begin, -1, name);
    const end = declared.indexOf("declare module", begin + 1);
    const module = declared.slice(begin, end < 0 ? undefined : end);
    const functions = [...file(`../wit/${name}.wit`).matchAll(/^ {4,8}([a-z-]+): func\(([^)]*)\)/gm)];
    assert.ok(functions.length > 1, name);
    for (const [, kebab = "", parameters = ""] of functions) {
      const camel = kebab.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
      const [, given] = new RegExp(`\\b${camel}\\(([^)]*)\\)`).exec(module) ?? [];
      assert.notEqual(given, undefined, `${name}.${camel}`);
      // Commas inside of `list<…>` and `tuple<…>` separate nothing.
      const count = (list: string) =>
        list
          .replace(/<[^>]*>/g, "")
          .split(",")
          .filter((part) => part.trim() !== "").length;
      assert.equal(count(given ?? ""), count(parameters), `parameters of ${name}.${camel}`);
    }
  }
});

test("settings of a worker are the variables that the program reads", () => {
  const known = file("../core/src/env.rs");
  const all = environmentOf({
    databaseUrl: "postgres://localhost/x",
    slots: 8,
    queues: ["a", "b"],
    lease: "15s",
    pollInterval: 250,
    shutdownGrace: "1m",
    cancelGrace: "10s",
    compensationGrace: "10s",
    memoryLimit: "256MiB",
    timeLimit: "10s",
    cpuLimit: "10s",
    workflowCpuLimit: "10s",
    outputLimit: "1MiB",
    logLimit: "1MiB",
    operationsLimit: 1000,
    journalLengthLimit: 1000,
    journalBytesLimit: "1MiB",
    residentCount: 0,
    residentMemory: "1GiB",
    residentTime: "10m",
    caFile: "/etc/ca.pem",
    log: "warn",
  });
  const names = [...known.matchAll(/"(CURRANT_\w+)"/g)].map(([, name]) => name);
  assert.deepEqual(Object.keys(all).sort(), names.sort());
  assert.deepEqual([all.CURRANT_WORKER_QUEUES, all.CURRANT_WORKER_LEASE], ["a,b", "15000ms"]);
  assert.throws(() => environmentOf({ slots: 0 }), /`slots` is a whole number from 1/);
  assert.throws(() => environmentOf({ lease: "soon" }), /`lease` is written like/);
});
