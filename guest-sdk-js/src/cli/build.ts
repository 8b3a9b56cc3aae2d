/** `npx currant build`. */

import { watch } from "node:fs";
import { stat } from "node:fs/promises";
import { dirname, relative } from "node:path";
import { described } from "../build/problem.js";
import { BuildError, type BuildOptions, type Built, build } from "../build.js";
import { parse, WrongUsage } from "./usage.js";

const USAGE = `Usage: npx currant build [APP] [-o FILE] [--name NAME] [--watch] [--no-cache] [--json]

  APP               the file that exports tasks and workflows, or a folder of them; the current folder unless said
  -o, --output      where the component goes; NAME.wasm in the project's folder unless said
  --name            the module's name; that of the package unless said
  --watch           build again whenever a file changes
  --no-cache        build although the same bundle was built before
  --json            print what was built as JSON`;

/** Answers the exit status. */
export async function runBuild(args: string[]): Promise<number> {
  const { values, positionals } = parse(
    {
      args,
      allowPositionals: true,
      options: {
        output: { type: "string", short: "o" },
        name: { type: "string" },
        watch: { type: "boolean", default: false },
        "no-cache": { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    },
    USAGE,
  );
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  if (positionals.length > 1) throw new WrongUsage(`one app at a time: ${positionals.join(", ")}\n${USAGE}`);
  const options = { app: positionals[0] ?? ".", output: values.output, name: values.name, cache: !values["no-cache"] };
  for (let last: Built | undefined; ; ) {
    const began = Date.now();
    const built = await once(options, values.json);
    if (!values.watch) return built === undefined ? 1 : 0;
    last = built ?? last;
    await change(last?.inputs ?? [options.app], began);
  }
}

async function once(options: BuildOptions, json: boolean): Promise<Built | undefined> {
  try {
    const built = await build(options);
    for (const warning of built.warnings) console.error(`warning: ${described(warning)}`);
    if (json) console.log(JSON.stringify(built));
    else report(built);
    return built;
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    for (const problem of error.problems) console.error(`error: ${described(problem)}`);
    return undefined;
  }
}

function report({ output, bytes, milliseconds, fromCache, module, functions }: Built): void {
  const width = Math.max(...functions.map(({ name }) => name.length));
  for (const { name, kind, queue } of functions) {
    console.error(`  ${name.padEnd(width)}  ${kind}${queue === undefined ? "" : `, queue ${queue}`}`);
  }
  const size = `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  const path = relative(process.cwd(), output);
  console.error(
    `built ${module.name} ${module.version}: ${size} in ${(milliseconds / 1000).toFixed(1)} s${fromCache ? ", from the cache" : ""}`,
  );
  console.error(`hint: deploy it: npx currant deploy ${path}`);
  console.log(path);
}

/** Resolves when one of the files has changed since then, or their folder does. */
async function change(files: readonly string[], since: number): Promise<void> {
  const folders = new Set(files.filter((file) => !file.includes("node_modules")).map((file) => dirname(file)));
  const stop = new AbortController();
  await new Promise<void>((resolve) => {
    for (const folder of folders) {
      watch(folder, { signal: stop.signal }, (_, name) => {
        // What this command itself writes is no change.
        if (name === null || /\.[cm]?[jt]sx?$|\.json$/.test(name)) resolve();
      });
    }
    // Only now, so that no change falls in between.
    for (const file of files) {
      stat(file).then(
        ({ mtimeMs }) => mtimeMs > since && resolve(),
        () => {},
      );
    }
  });
  stop.abort();
  // Editors write a file in several steps.
  await new Promise((resolve) => setTimeout(resolve, 50));
}
