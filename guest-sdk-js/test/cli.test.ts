/** The command line, as it is typed. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "currant-test-"));
});
after(() => rm(folder, { recursive: true }));

/** Runs `npx currant …` in the folder. */
function currant(
  args: string[],
  env: Record<string, string> = {},
): Promise<{ status: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const options = { cwd: folder, env: { ...process.env, CURRANT_HOME: "", ...env } };
    const child = execFile(process.execPath, [MAIN, ...args], options, (_, stdout, stderr) =>
      resolve({ status: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

/** A program that says how it was called, and ends with 7. */
async function fakeProgram(path: string): Promise<void> {
  await writeFile(path, `#!/bin/sh\necho "$(basename "$0"): $*"\nexit 7\n`);
  await chmod(path, 0o755);
}

test("without a command it says what there is, and a wrong one is said to be wrong", async () => {
  const help = await currant(["--help"]);
  assert.equal(help.status, 0);
  assert.match(help.stdout, /build \[APP\][\s\S]*by currant-host[\s\S]*Exit status/);
  assert.equal((await currant([])).status, 2);
  const wrong = await currant(["build", "--fast"]);
  assert.deepEqual([wrong.status, wrong.stdout], [2, ""]);
  assert.match(wrong.stderr, /^error: Unknown option '--fast'[\s\S]*Usage: npx currant build/);
  assert.match((await currant(["--version"])).stdout, /^currant \d+\.\d+\.\d+ \(npm\)$/m);
});

test("what cannot be built is said with its place and a hint", async () => {
  await writeFile(
    join(folder, "broken.ts"),
    'import { task } from "currant";\nimport { connect } from "node:net";\nexport const x = task(async () => connect(1));\n',
  );
  const { status, stdout, stderr } = await currant(["build", "broken.ts"]);
  assert.deepEqual([status, stdout], [1, ""]);
  assert.equal(
    stderr,
    [
      "error: broken.ts:2:25: `node:net` is a module of Node, which does not exist in a sandbox",
      '    import { connect } from "node:net";',
      "  hint: use fetch: `await fetch(url)` in a task or step, with the host granted at deploy by --allow-http HOST:PORT",
      "",
    ].join("\n"),
  );
});

test("other commands are those of other programs, with their arguments and exit status", async () => {
  const home = join(folder, "home");
  await mkdir(join(home, "bin"), { recursive: true });
  await fakeProgram(join(home, "currant"));
  await fakeProgram(join(home, "bin/currant-host"));
  const list = await currant(["list", "--status", "failed"], { CURRANT_HOME: home });
  assert.deepEqual([list.status, list.stdout], [7, "currant: list --status failed\n"]);
  const worker = await currant(["worker", "--slots", "3"], { CURRANT_HOME: home });
  assert.deepEqual([worker.status, worker.stdout], [7, "currant-host: worker --slots 3\n"]);
});

test("on the PATH it finds the program, and not itself", async () => {
  const bins = join(folder, "node_modules/.bin");
  await mkdir(bins, { recursive: true });
  await symlink(MAIN, join(bins, "currant"));
  const alone = await currant(["status", "x"], { PATH: [bins, "/usr/bin", "/bin"].join(delimiter) });
  assert.equal(alone.status, 3);
  assert.equal(
    alone.stderr,
    "error: `currant status` cannot run: the program `currant` is not on the PATH\n" +
      "  hint: install it (cargo install --locked currant-cli), or set CURRANT_HOME to the folder that holds it\n",
  );
  const there = join(folder, "there");
  await mkdir(there);
  await fakeProgram(join(there, "currant"));
  const found = await currant(["status", "x"], { PATH: [bins, there, "/usr/bin", "/bin"].join(delimiter) });
  assert.equal(found.stdout, "currant: status x\n");
});

test("a new project has a module that can be checked, and its name", async () => {
  const { status, stderr } = await currant(["new", "My Shop"]);
  assert.equal(status, 0, stderr);
  const project = join(folder, "My Shop");
  assert.deepEqual((await readdir(project)).sort(), [".gitignore", "app.test.ts", "app.ts", "package.json", "tsconfig.json"]);
  const manifest = JSON.parse(await readFile(join(project, "package.json"), "utf8"));
  const checkout = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
  assert.deepEqual([manifest.name, manifest.devDependencies.currant], ["my-shop", `file:${checkout}`]);
  const { check } = await import("currant/build");
  const { functions } = await check({ app: project });
  assert.deepEqual(
    functions.map(({ name, description }) => [name, description]),
    [
      ["greet", "Says hello to everybody, all at once."],
      ["hello", "Says hello."],
    ],
  );
  const again = await currant(["new", "My Shop"]);
  assert.equal(again.status, 1);
  assert.match(again.stderr, /error: My Shop is not empty/);
});
