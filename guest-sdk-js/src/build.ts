/**
 * From source files to a component.
 *
 *     find the files ─► bundle (esbuild) ─► load once in Node, to see what is wrong ─► componentize (StarlingMonkey) ─► app.wasm
 *     sources           bundle               load                                        engine, cache
 *
 * What the toolchain would answer in its own words is found before it is asked, and said with the author's file and line.
 */

import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";

import { bundle } from "./build/bundle.js";
import { cached } from "./build/cache.js";
import { componentize } from "./build/engine.js";
import { type FunctionSummary, load } from "./build/load.js";
import type { Problem } from "./build/problem.js";
import { findSources, type Names } from "./build/sources.js";

export type { FunctionSummary } from "./build/load.js";
export { BuildError, type Problem } from "./build/problem.js";

/** What to build, and where to put it. */
export interface BuildOptions {
  /** The app's file, or a folder of files whose functions are all offered. */
  readonly app: string;
  /** Where the component goes; `NAME.wasm` in the project's folder unless said. */
  readonly output?: string | undefined;
  /** The module's name; that of the package unless said. */
  readonly name?: string | undefined;
  /** Whether to use what was built of the same bundle before; yes unless said. */
  readonly cache?: boolean | undefined;
}

/** What was built. */
export interface Built {
  /** The component's path. */
  readonly output: string;
  readonly bytes: number;
  readonly milliseconds: number;
  /** Whether the same bundle had been built before. */
  readonly fromCache: boolean;
  readonly module: Names;
  readonly functions: readonly FunctionSummary[];
  /** What works, and is likely not what is meant. */
  readonly warnings: readonly Problem[];
  /** The files that went into it. */
  readonly inputs: readonly string[];
}

/** Says what a module offers and what is wrong with it, in a moment: it is bundled and loaded, and no component is made. */
export async function check(
  options: Pick<BuildOptions, "app" | "name">,
): Promise<Pick<Built, "module" | "functions" | "warnings">> {
  const sources = await findSources(options.app, options.name);
  return { module: sources.names, ...(await load(sources, await bundle(sources, "cjs"))) };
}

/** Builds a component. Throws a `BuildError` that says where what is wrong stands. */
export async function build(options: BuildOptions): Promise<Built> {
  const began = performance.now();
  const sources = await findSources(options.app, options.name);
  const output = resolve(options.output ?? resolve(sources.root, `${sources.names.name}.wasm`));
  const made = await bundle(sources, "esm");
  const { functions, warnings } = await load(sources, await bundle(sources, "cjs"));
  const { component, fromCache } = await cached(sources, made.code, options.cache ?? true, () => componentize(made));
  // Whole or not at all: somebody may be watching the file.
  await mkdir(dirname(output), { recursive: true });
  await writeFile(`${output}.partial`, component);
  await rename(`${output}.partial`, output);
  const milliseconds = performance.now() - began;
  return {
    output,
    bytes: component.length,
    milliseconds,
    fromCache,
    module: sources.names,
    functions,
    warnings,
    inputs: made.inputs,
  };
}
