/** Which files make the module, and what it is called. */

import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, extname, join, relative, resolve } from "node:path";

import { BuildError } from "./problem.js";

/** What the module is called. */
export interface Names {
  readonly name: string;
  readonly version: string;
}

/** The files of an app. */
export interface Sources {
  /** The folder of its `package.json`, or its own: paths are shown relative to this one. */
  readonly root: string;
  /** Absolute paths; their exported functions are offered. */
  readonly files: readonly string[];
  readonly names: Names;
}

const CODE = /\.[cm]?[jt]sx?$/;
const NO_APP = /\.d\.[cm]?ts$|[.-](test|spec)\.[cm]?[jt]sx?$|\.config\.[cm]?[jt]s$/;
const APPS = ["app", "src/app", "index", "src/index"].flatMap((stem) =>
  [".ts", ".mts", ".js", ".mjs"].map((end) => stem + end),
);

/** The sources of an app that is one file or a folder. A folder is its `app.ts` (or `.js`, or in `src/`), otherwise all files in it. */
export async function findSources(app: string, name?: string): Promise<Sources> {
  const path = resolve(app);
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) {
    throw new BuildError([
      { message: `there is no ${app}`, hint: "name the file that exports your tasks and workflows: npx currant build app.ts" },
    ]);
  }
  const files = found.isDirectory() ? await filesOf(path, app) : [path];
  const manifest = await findManifest(found.isDirectory() ? path : dirname(path));
  const root = manifest?.folder ?? (found.isDirectory() ? path : dirname(path));
  const stem = found.isDirectory() ? basename(path) : basename(path, extname(path));
  return { root, files, names: namesOf(name, manifest?.text ?? {}, stem) };
}

async function filesOf(folder: string, shown: string): Promise<string[]> {
  for (const candidate of APPS) {
    const path = join(folder, candidate);
    if ((await stat(path).catch(() => undefined))?.isFile()) return [path];
  }
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile() && CODE.test(entry.name) && !NO_APP.test(entry.name))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .filter(
      (path) =>
        !relative(folder, path)
          .split(/[\\/]/)
          .some((part) => part === "node_modules" || part.startsWith(".")),
    );
  if (files.length === 0) {
    throw new BuildError([
      { message: `${shown} holds no JavaScript or TypeScript`, hint: "name the file that exports your tasks and workflows" },
    ]);
  }
  return files.sort();
}

async function findManifest(
  from: string,
): Promise<{ folder: string; text: { name?: unknown; version?: unknown } } | undefined> {
  for (let folder = from; ; folder = dirname(folder)) {
    const path = join(folder, "package.json");
    const text = await readFile(path, "utf8").catch(() => undefined);
    if (text !== undefined) {
      try {
        return { folder, text: JSON.parse(text) };
      } catch (error) {
        throw new BuildError([{ message: `${path} cannot be read: ${error instanceof Error ? error.message : error}` }]);
      }
    }
    if (dirname(folder) === folder) return undefined;
  }
}

function namesOf(given: string | undefined, manifest: { name?: unknown; version?: unknown }, stem: string): Names {
  const version = typeof manifest.version === "string" ? manifest.version : "0.0.0";
  if (given !== undefined) {
    if (/^[a-z0-9_.-]{1,100}$/.test(given)) return { name: given, version };
    throw new BuildError([
      { message: `\`${given}\` is no name for a module: it is made of a-z, 0-9, _, . and -, 1 to 100 of them` },
    ]);
  }
  // `@acme/shop` is the module `shop`.
  const own = typeof manifest.name === "string" ? manifest.name.replace(/^@[^/]*\//, "") : stem;
  const name = own
    .toLowerCase()
    .replace(/[^a-z0-9_.-]+/g, "-")
    .slice(0, 100);
  return { name: name || "module", version };
}
