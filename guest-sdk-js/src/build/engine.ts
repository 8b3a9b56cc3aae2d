/** The bundle and the engine (StarlingMonkey, by componentize-js) as one component, with the module loaded in its memory. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import type { Bundle } from "./bundle.js";
import { BuildError } from "./problem.js";

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
    throw new BuildError([{ message: translated(error instanceof Error ? error.message : String(error)) }]);
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
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
    const hint = `npm install --save-dev ${TOOLCHAIN} esbuild`;
    throw new BuildError([{ message: `the build needs ${TOOLCHAIN}`, hint }]);
  });
}

/** What the toolchain says is about itself; the module was loaded before it was asked. */
function translated(message: string): string {
  const [, inside] = /Error: (.*?)\n/.exec(message.slice(message.indexOf("Failed to initialize component"))) ?? [];
  const lines = message.split("\n").filter((line) => !/wasm function|wasm backtrace|^\s*$/.test(line));
  const detail = lines.map((line) => `    ${line}`).join("\n");
  const stopped = inside === undefined ? "" : `: ${inside}`;
  return `the engine could not load the module${stopped}. Node can, so it is likely a feature that the engine lacks; it said:\n${detail}`;
}
