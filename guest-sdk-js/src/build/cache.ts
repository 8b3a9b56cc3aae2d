/** What was built before, by the bundle that it was built of. */

import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

import { VERSION } from "../version.js";
import { toolchainVersion } from "./engine.js";
import type { Sources } from "./sources.js";

/** So many components are kept, the ones that were used last: each has 12 MB. */
const KEPT = 8;

/** The component of this bundle: from the cache, or made and kept. A cache that cannot be written is none. */
export async function cached(
  sources: Sources,
  code: string,
  allowed: boolean,
  make: () => Promise<Uint8Array>,
): Promise<{ component: Uint8Array; fromCache: boolean }> {
  if (!allowed) return { component: await make(), fromCache: false };
  const folder = await cacheFolder(sources);
  const key = createHash("sha256")
    .update(JSON.stringify([VERSION, await toolchainVersion(), code]))
    .digest("hex");
  const path = join(folder, `${key}.wasm`);
  const found = await readFile(path).catch(() => undefined);
  if (found !== undefined) {
    const now = new Date();
    await utimes(path, now, now).catch(() => {});
    return { component: found, fromCache: true };
  }
  const component = await make();
  await keep(folder, path, component).catch(() => {});
  return { component, fromCache: false };
}

async function cacheFolder({ root }: Sources): Promise<string> {
  const modules = join(root, "node_modules");
  if ((await stat(modules).catch(() => undefined))?.isDirectory()) return join(modules, ".cache/currant");
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "currant/js");
}

async function keep(folder: string, path: string, component: Uint8Array): Promise<void> {
  await mkdir(folder, { recursive: true });
  // Whole or not at all: another build may be reading.
  const partial = `${path}.${process.pid}`;
  await writeFile(partial, component);
  await rename(partial, path);
  const names = (await readdir(folder)).filter((name) => name.endsWith(".wasm"));
  const aged = await Promise.all(names.map(async (name) => ({ name, used: (await stat(join(folder, name))).mtimeMs })));
  aged.sort((one, other) => other.used - one.used);
  await Promise.all(aged.slice(KEPT).map(({ name }) => rm(join(folder, name), { force: true })));
}
