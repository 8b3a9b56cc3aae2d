/** `npx currant new`. */

import { cp, mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

import { VERSION } from "../version.js";
import { parse, WrongUsage } from "./usage.js";

const USAGE = `Usage: npx currant new FOLDER

  FOLDER    a new one, or an empty one: it gets a package with a task, a workflow and a test`;

const PACKAGE = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const TEMPLATE = join(PACKAGE, "template");

/** Where a new project gets this package from: the checkout that runs, or the registry. */
function whence(): string {
  return PACKAGE.split(sep).includes("node_modules") ? `^${VERSION}` : `file:${PACKAGE}`;
}

/** Answers the exit status. */
export async function runNew(args: string[]): Promise<number> {
  const { values, positionals } = parse(
    { args, allowPositionals: true, options: { help: { type: "boolean", short: "h", default: false } } },
    USAGE,
  );
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const [given] = positionals;
  if (given === undefined || positionals.length > 1) throw new WrongUsage(`name one folder\n${USAGE}`);
  const folder = resolve(given);
  const there = await readdir(folder).catch(() => []);
  if (there.length > 0) {
    console.error(`error: ${given} is not empty\n  hint: name a new folder: npx currant new my-module`);
    return 1;
  }
  await mkdir(folder, { recursive: true });
  await cp(TEMPLATE, folder, { recursive: true });
  // npm leaves a `.gitignore` out of packages.
  await rename(join(folder, "gitignore"), join(folder, ".gitignore"));
  const manifest = join(folder, "package.json");
  const name = basename(folder)
    .toLowerCase()
    .replace(/[^a-z0-9_.-]+/g, "-");
  const text = await readFile(manifest, "utf8");
  await writeFile(manifest, text.replaceAll("MODULE", name).replaceAll("CURRANT", whence()));
  console.error(`made ${given}: app.ts, app.test.ts, package.json\nnext:\n  cd ${given} && npm install\n  npm test`);
  console.error(
    `  npx currant dev                          # a private Postgres and a worker; leave it running, and go on in another terminal`,
  );
  console.error(`  npm run build && npx currant deploy ${name}.wasm`);
  console.error(`  npx currant start greet --input '["Ada", "Grace"]' --wait`);
  return 0;
}
