/** The bundle and the engine (StarlingMonkey, by componentize-js) as one component, with the module loaded in its memory. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { type BuildInfo, original } from "../stacks.js";
import { insteadOfSyntax } from "./advice.js";
import type { Bundle } from "./bundle.js";
import { BuildError, type Problem } from "./problem.js";

const TOOLCHAIN = "@bytecodealliance/componentize-js";
const WIT = resolve(dirname(fileURLToPath(import.meta.url)), "../wit");

/** Makes the component. Takes some seconds. */
export async function componentize({ code, info }: Bundle): Promise<Uint8Array> {
  const { componentize } = await toolchain();
  const folder = await mkdtemp(join(tmpdir(), "currant-build-"));
  try {
    const sourcePath = join(folder, info.map.file);
    await writeFile(sourcePath, code);
    // `fetch-event` is for components that serve HTTP. Clocks, random and stdio are the host's.
    const options = { sourcePath, witPath: WIT, worldName: "component", disableFeatures: ["fetch-event" as const] };
    const { component } = await componentize(options);
    return component;
  } catch (error) {
    throw new BuildError([translated(error instanceof Error ? error.message : String(error), info)]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The toolchain's version: another one makes another component. */
export async function toolchainVersion(): Promise<string> {
  return (await toolchain()).version;
}

async function toolchain(): Promise<typeof import("@bytecodealliance/componentize-js")> {
  return import(TOOLCHAIN).catch((error: NodeJS.ErrnoException) => {
    // The toolchain imports the shim without saying so in its package: it may be this that is missing.
    const [, missing] = /Cannot find package '([^']+)'/.exec(error.message) ?? [];
    if (error.code !== "ERR_MODULE_NOT_FOUND" || missing === undefined) throw error;
    const hint = `npm install --save-dev ${TOOLCHAIN} @bytecodealliance/preview2-shim esbuild`;
    throw new BuildError([{ message: `the build needs ${missing}`, hint }]);
  });
}

/** What the toolchain says, of the author's file where it is about that. The module was loaded before: what Node took, the engine lacks. */
export function translated(message: string, { map }: BuildInfo): Problem {
  const [, row, column, said] = /^\s*bundle\.js:(\d+):(\d+) (\w*Error: .*)$/m.exec(message) ?? [];
  if (said !== undefined) {
    const place = original(map, Number(row), Number(column));
    return { message: `the engine cannot load this: ${said.replace(/:$/, "")}`, place, hint: insteadOfSyntax(said) };
  }
  const lines = message.split("\n").filter((line) => !/wasm function|wasm backtrace|^\s*$/.test(line));
  return {
    message: `the engine cannot load the module, and Node can. It said:\n${lines.map((line) => `    ${line}`).join("\n")}`,
  };
}
