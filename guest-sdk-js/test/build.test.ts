/** What the build says before the toolchain is asked. */

import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";

import { BuildError, check } from "currant/build";

import { translated } from "../src/build/engine.js";

/** A project of these files. */
async function project<T>(files: Record<string, string>, body: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "currant-test-"));
  try {
    for (const [name, text] of Object.entries({ "package.json": '{"name": "@acme/Shop App", "version": "1.2.3"}', ...files })) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), text);
    }
    return await body(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** What the build says of an `app.ts`, with what is beside it. */
async function problems(app: string, files: Record<string, string> = {}) {
  return project({ ...files, "app.ts": app }, async (folder) => {
    const error = await check({ app: folder }).then(
      () => assert.fail("it was built"),
      (error: unknown) => error,
    );
    if (!(error instanceof BuildError)) throw error;
    return error.problems;
  });
}

const HELLO =
  'import { task } from "currant";\n/**\n * Says hello.\n * @param name whom\n */\nexport const sayHello = task({ queue: "words" }, async (name: string) => name);\n';

test("a module is described by what it exports and how it is commented", async () => {
  await project({ "src/app.ts": HELLO }, async (folder) => {
    const { module, functions, warnings } = await check({ app: folder });
    assert.deepEqual(module, { name: "shop-app", version: "1.2.3" });
    assert.deepEqual(
      functions.map(({ name, kind, queue, description }) => ({ name, kind, queue, description })),
      [{ name: "say_hello", kind: "task", queue: "words", description: "Says hello." }],
    );
    assert.deepEqual(warnings, []);
  });
});

test("a folder without an app is all of its files", async () => {
  const files = {
    "lib/one.ts": HELLO,
    "lib/deep/two.js": HELLO.replace("sayHello", "wave").replace(": string", ""),
    "lib/one.test.ts": "throw 1",
  };
  await project(files, async (folder) => {
    const { functions } = await check({ app: join(folder, "lib") });
    assert.deepEqual(functions.map(({ name }) => name).sort(), ["say_hello", "wave"]);
  });
});

test("a module of Node is refused, with what to use instead", async () => {
  const [problem, ...more] = await problems(`import { readFile } from "node:fs/promises";\n${HELLO}export const x = readFile;`);
  assert.deepEqual(more, []);
  assert.equal(problem?.message, "`node:fs/promises` is a module of Node, which does not exist in a sandbox");
  assert.equal(problem?.place, "app.ts:1:26");
  assert.match(problem?.hint ?? "", /there are no files/);
});

test("a package that needs a module of Node is named where the author imports it", async () => {
  const [problem] = await problems(`\nimport { Pool } from "pg";\n${HELLO}export const x = Pool;`, {
    "node_modules/pg/package.json": '{"name": "pg", "main": "index.js"}',
    "node_modules/pg/index.js": 'exports.Pool = require("pg-inner");',
    "node_modules/pg-inner/package.json": '{"name": "pg-inner", "main": "index.js"}',
    "node_modules/pg-inner/index.js": 'exports.net = require("net");',
  });
  assert.equal(problem?.message, "the package `pg-inner` needs `net`, a module of Node which does not exist in a sandbox");
  assert.equal(problem?.place, "app.ts:2:22");
  assert.match(problem?.hint ?? "", /databases are reached by TCP/);
});

test("an installed package of the name of a module of Node is used", async () => {
  const files = {
    "node_modules/events/package.json": '{"name": "events", "main": "index.js"}',
    "node_modules/events/index.js": "exports.once = 7;",
    "app.ts": `import { once } from "events";\n${HELLO}export const x = once;`,
  };
  await project(files, async (folder) => assert.equal((await check({ app: folder })).functions.length, 1));
});

test("native code is refused", async () => {
  const [problem] = await problems(`import sharp from "./sharp.node";\n${HELLO}export const x = sharp;`, { "sharp.node": "" });
  assert.equal(problem?.message, "`./sharp.node` is native code, which does not load in a sandbox");
  assert.equal(problem?.place, "app.ts:1:19");
});

test("what is for programs outside is refused inside", async () => {
  const [problem] = await problems(`import { Client } from "currant/client";\n${HELLO}export const x = Client;`);
  assert.match(problem?.message ?? "", /`currant\/client` is for programs outside/);
});

test("a package that is not installed is said to be missing", async () => {
  const [problem] = await problems(`import z from "zod";\n${HELLO}export const x = z;`);
  assert.deepEqual([problem?.message, problem?.hint], ["`zod` cannot be found", "is it installed? npm install zod"]);
});

test("a syntax error has its place", async () => {
  const [problem] = await problems("export const x = ;\n");
  assert.deepEqual([problem?.message, problem?.place], ['Unexpected ";"', "app.ts:1:18"]);
});

test("random values that are drawn while the module is loaded are refused with file and line", async () => {
  const draws = ["Math.random()", "crypto.randomUUID()", "crypto.getRandomValues(new Uint8Array(1))"];
  const found = await problems(
    `${HELLO}\nfunction draw() {\n  return [${draws.join(",\n    ")}];\n}\nexport const seed = draw();\n`,
  );
  assert.deepEqual(
    found.map(({ message, place }) => [message, place]),
    [
      ["`Math.random()` while the module is loaded", "app.ts:9:16"],
      ["`crypto.randomUUID()` while the module is loaded", "app.ts:10:12"],
      ["`crypto.getRandomValues()` while the module is loaded", "app.ts:11:12"],
    ],
  );
  assert.equal(found[0]?.line?.trim(), "return [Math.random(),");
  assert.match(found[0]?.hint ?? "", /the same in every execution/);
});

test("clocks that are read while the module is loaded are warned of", async () => {
  const app = `${HELLO}\nexport const began = [Date.now(), new Date(), new Date(5)];\n`;
  await project({ "app.ts": app }, async (folder) => {
    const { warnings } = await check({ app: folder });
    assert.deepEqual(
      warnings.map(({ message, place }) => [message, place]),
      [
        ["`Date.now()` while the module is loaded", "app.ts:8:28"],
        ["`new Date()` while the module is loaded", "app.ts:8:35"],
      ],
    );
  });
});

test("timers, the network and the engine's missing globals are refused while the module is loaded", async () => {
  assert.match(
    (await problems(`${HELLO}setTimeout(() => {}, 1);`))[0]?.message ?? "",
    /`setTimeout` while the module is loaded never fires/,
  );
  assert.match(
    (await problems(`${HELLO}const answer = fetch("http://x/");`))[0]?.message ?? "",
    /`fetch` while the module is loaded/,
  );
  assert.match(
    (await problems(`${HELLO}export const t = performance.now();`))[0]?.message ?? "",
    /`performance.now` while the module is loaded/,
  );
  const [intl] = await problems(`${HELLO}export const f = new Intl.NumberFormat("fr");`);
  assert.deepEqual(
    [intl?.message, intl?.place],
    ["ReferenceError: Intl is not defined (thrown while the module is loaded)", "app.ts:7:18"],
  );
  assert.match(intl?.hint ?? "", /no Intl/);
});

test("nothing can be awaited while the module is loaded", async () => {
  const [problem] = await problems(`${HELLO}await Promise.resolve(1);`);
  assert.deepEqual([problem?.message, problem?.place], ["nothing can be awaited while the module is loaded", "app.ts:7:1"]);
});

test("an error that the module throws has its place in the author's file", async () => {
  const [problem] = await problems(
    `${HELLO}interface A {}\n\nfunction config(): A {\n  throw new TypeError("no config");\n}\nconfig();`,
  );
  assert.deepEqual(
    [problem?.message, problem?.place],
    ["TypeError: no config (thrown while the module is loaded)", "app.ts:10:9"],
  );
});

test("settings of a function that cannot be are named with the function", async () => {
  const [problem] = await problems(
    'import { task } from "currant";\nexport const pay = task({ timeout: "soon" }, async () => 1);',
  );
  assert.match(problem?.message ?? "", /the task `pay`: `timeout` is written like "30s"/);
});

test("a module without functions, and an app that is not there, are said to be so", async () => {
  assert.equal((await problems("export const x = 1;"))[0]?.message, "the module offers no function");
  await assert.rejects(check({ app: "/nowhere/app.ts" }), /there is no \/nowhere\/app\.ts/);
});

test("what the engine cannot load has its place in the author's file, and a hint", () => {
  const said =
    "Failed to initialize component (wizer):\nException while evaluating top-level script\n" +
    "bundle.js:2:5 SyntaxError: invalid class property name in regular expression:\nbundle.js:2:5 \\p{L}\nbundle.js:2:5 ^";
  const map = { file: "bundle.js", sources: ["app.ts"], mappings: ";AAGM" };
  assert.deepEqual(translated(said, { name: "x", version: "1", descriptions: {}, map }), {
    message: "the engine cannot load this: SyntaxError: invalid class property name in regular expression",
    place: "app.ts:4:7",
    hint: "the engine has no tables of Unicode: write \\p{…} out, for example [a-zà-ÿ] for letters of Western Europe",
  });
});
