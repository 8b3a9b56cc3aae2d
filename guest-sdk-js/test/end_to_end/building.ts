/** `npx currant build` with the real engine: kept for the same source, and made again when a file changes. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { PACKAGE } from "../support/stack.js";

const folder = await mkdtemp(join(tmpdir(), "currant-build-"));
after(() => rm(folder, { recursive: true }));

/** Runs `npx currant build …` in the folder, and answers what it says, line by line. */
function currantBuild(...args: string[]) {
  const child = spawn(process.execPath, [join(PACKAGE, "dist/cli/main.js"), "build", ...args], {
    cwd: folder,
    env: { ...process.env, XDG_CACHE_HOME: join(folder, "cache") },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  /** What it has said since it was asked last, once it fits. */
  const until = async (words: RegExp) => {
    while (!words.test(said)) {
      const more = new Promise((resolve) => child.stderr.once("data", resolve));
      const end = await Promise.race([more.then(() => false), ended.then(() => true)]);
      assert.ok(!end || words.test(said), said);
    }
    const now = said;
    said = "";
    return now;
  };
  return { child, ended, until };
}

const source = (answer: string) => `import { task } from "currant";\nexport const answer = task(async () => ${answer});\n`;

test("a module is built again whenever its file changes, also after a mistake, and never twice from the same source", async () => {
  const app = join(folder, "app.ts");
  await writeFile(app, source("1"));
  const watching = currantBuild("app.ts", "--name", "watched", "--watch");
  assert.match(await watching.until(/deploy it/), /built watched 0\.0\.0: \d+\.\d MiB in \d+\.\d s\n/);
  const first = await readFile(join(folder, "watched.wasm"));
  await writeFile(app, source("("));
  await watching.until(/error: app\.ts:\d+:\d+: /);
  await writeFile(app, source("2"));
  assert.doesNotMatch(await watching.until(/deploy it/), /from the cache/);
  assert.notDeepEqual(await readFile(join(folder, "watched.wasm")), first);
  await writeFile(app, source("1"));
  assert.match(await watching.until(/deploy it/), /from the cache/);
  assert.deepEqual(await readFile(join(folder, "watched.wasm")), first);
  watching.child.kill();
  await watching.ended;
});
