/** Everything in one file, by esbuild: TypeScript, packages and this SDK. What cannot work in a sandbox is refused here, with its place. */

import { readFile } from "node:fs/promises";
import { builtinModules } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import type * as Esbuild from "esbuild";

import { nameOfExport } from "../functions.js";
import type { BuildInfo } from "../stacks.js";
import { insteadOfModule, insteadOfPackage } from "./advice.js";
import { BuildError, type Problem } from "./problem.js";
import type { Sources } from "./sources.js";

/** A module in one file. */
export interface Bundle {
  /** The code, with what the component knows of its build at its end. */
  readonly code: string;
  /** The files that went into it, absolute; not those of this package. */
  readonly inputs: readonly string[];
  readonly info: BuildInfo;
}

/** `dist/`: everything of this package comes from here, whatever copy the author's files would find. */
const OWN = resolve(dirname(fileURLToPath(import.meta.url)), "..");

const FILE = "bundle.js";

/** Bundles for the engine (`esm`), or to be loaded by Node for a look at it (`cjs`). */
export async function bundle(sources: Sources, format: "esm" | "cjs"): Promise<Bundle> {
  const esbuild = await import("esbuild").catch(() => {
    throw new BuildError([
      {
        message: "the build needs esbuild",
        hint: "npm install --save-dev @bytecodealliance/componentize-js @bytecodealliance/preview2-shim esbuild",
      },
    ]);
  });
  const result = await esbuild
    .build({
      absWorkingDir: sources.root,
      stdin: { contents: entryFile(sources), resolveDir: sources.root, sourcefile: "currant-entry.js" },
      outfile: join(sources.root, FILE),
      write: false,
      bundle: true,
      format,
      platform: "browser",
      mainFields: ["module", "main"],
      conditions: ["worker", "browser", "module"],
      target: "es2022",
      sourcemap: "external",
      sourcesContent: false,
      legalComments: "none",
      charset: "utf8",
      // The class of an error is its code: names stay.
      keepNames: true,
      define: { "process.env.NODE_ENV": '"production"', "process.env": "currantEnvironment" },
      inject: [join(OWN, "build/inject.js")],
      metafile: true,
      logLevel: "silent",
      plugins: [sandbox()],
    })
    .catch((error: Esbuild.BuildFailure) => {
      if (!Array.isArray(error.errors)) throw error;
      throw new BuildError(error.errors.map((message) => problemOf(message, sources)));
    });
  const output = (end: string) => result.outputFiles.find((file) => file.path.endsWith(end))?.text ?? "";
  const inputs = Object.keys(result.metafile.inputs)
    .map((path) => resolve(sources.root, path))
    .filter((path) => !path.startsWith(OWN) && !path.endsWith("currant-entry.js"));
  const info: BuildInfo = {
    ...sources.names,
    descriptions: await descriptions(sources),
    map: mapOf(JSON.parse(output(".map")), sources),
  };
  // At the end, so that no line moves.
  const code = `${output(FILE)}\nglobalThis[Symbol.for("currant.build")] = ${JSON.stringify(info)};\n`;
  return { code, inputs, info };
}

function entryFile({ files, root }: Sources): string {
  const paths = files.map((file) => JSON.stringify(`./${relative(root, file)}`));
  return [
    // First: what it replaces must be replaced when the author's files are loaded.
    'import { entryOf } from "currant:entry";',
    ...paths.map((path, index) => `import * as file${index} from ${path};`),
    `export const entry = entryOf({ ${paths.map((path, index) => `${path}: file${index}`).join(", ")} });`,
  ].join("\n");
}

/** Doc comments of exported tasks and workflows, by the names of the functions. */
async function descriptions({ files }: Sources): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const file of files) {
    const text = await readFile(file, "utf8");
    for (const [, comment = "", name = ""] of text.matchAll(
      /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*export\s+const\s+(\w+)\s*(?::[^=]+)?=\s*(?:\w+\.)?(?:task|workflow)\b/g,
    )) {
      const lines = comment.split("\n").map((line) => line.replace(/^\s*\*? ?/, "").trimEnd());
      // Tags are for tools.
      const end = lines.findIndex((line) => line.startsWith("@"));
      const description = (end < 0 ? lines : lines.slice(0, end)).join("\n").trim();
      if (description !== "") found[nameOfExport(name)] = description;
    }
  }
  return found;
}

function mapOf(map: { sources: string[]; mappings: string }, { root }: Sources): BuildInfo["map"] {
  const shown = (source: string) => {
    const path = resolve(root, source);
    return path.startsWith(OWN) || path.endsWith("currant-entry.js") ? null : relative(root, path);
  };
  return { file: FILE, sources: map.sources.map(shown), mappings: map.mappings };
}

function sandbox(): Esbuild.Plugin {
  return {
    name: "currant",
    setup(build) {
      /** Who imported a package first. */
      const importers = new Map<string, string>();
      build.onResolve({ filter: /^(currant:|wasi:)/ }, ({ path }) =>
        path === "currant:entry" ? { path: join(OWN, "entry.js") } : { path, external: true },
      );
      build.onResolve({ filter: /^currant(\/|$)/ }, ({ path }) => {
        if (path === "currant") return { path: join(OWN, "index.js") };
        const text = `\`${path}\` is for programs outside: it cannot be part of a module`;
        return { errors: [{ text, notes: [{ text: 'a module imports from "currant" alone' }] }] };
      });
      build.onResolve({ filter: /\.node$/ }, ({ path }) => ({
        errors: [
          {
            text: `\`${path}\` is native code, which does not load in a sandbox`,
            notes: [{ text: "use a package that is JavaScript alone" }],
          },
        ],
      }));
      build.onResolve({ filter: /.*/ }, async (args) => {
        const name = args.path.replace(/^node:/, "");
        const target = /^(?:@[^/]+\/)?[^./][^/]*/.exec(args.path)?.[0];
        if (target !== undefined && !importers.has(target)) importers.set(target, args.importer);
        if (!builtinModules.includes(name)) return undefined;
        // A package of the same name that is installed takes its place, as bundlers have it.
        if (args.pluginData !== LOOKING && name === args.path) {
          const { importer, namespace, resolveDir, kind } = args;
          const other = await build.resolve(name, { importer, namespace, resolveDir, kind, pluginData: LOOKING });
          if (other.errors.length === 0) return other;
        } else if (name === args.path) {
          return undefined;
        }
        return { errors: [await refused(name, args, importers)] };
      });
    },
  };
}

const LOOKING = Symbol("looking for a package of this name");

/** Says which of the author's own imports leads to a module of Node. */
async function refused(
  name: string,
  args: Esbuild.OnResolveArgs,
  importers: ReadonlyMap<string, string>,
): Promise<Esbuild.PartialMessage> {
  const by = packageOf(args.importer);
  if (by === undefined) {
    const text = `\`${args.path}\` is a module of Node, which does not exist in a sandbox`;
    return { text, notes: [{ text: insteadOfModule(name) }] };
  }
  const text = `the package \`${by}\` needs \`${args.path}\`, a module of Node which does not exist in a sandbox`;
  // The package that the author imports, which may be another one.
  let [outer, importer] = [by, importers.get(by)];
  for (
    let next = importer && packageOf(importer);
    next !== undefined && next !== outer;
    next = importer && packageOf(importer)
  ) {
    [outer, importer] = [next, importers.get(next)];
  }
  const notes = [{ text: insteadOfPackage(outer) ?? insteadOfPackage(by) ?? insteadOfModule(name) }];
  const location = importer === undefined ? undefined : await placeOfImport(importer, outer);
  return location === undefined ? { text, notes } : { text, notes, location };
}

function packageOf(path: string): string | undefined {
  return /.*[\\/]node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+)/.exec(path)?.[1];
}

async function placeOfImport(file: string, name: string): Promise<Partial<Esbuild.Location> | undefined> {
  const lines = (await readFile(file, "utf8").catch(() => "")).split("\n");
  const quoted = new RegExp(`["']${name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}(/[^"']*)?["']`);
  const index = lines.findIndex((line) => quoted.test(line));
  const lineText = lines[index];
  return lineText === undefined ? undefined : { file, line: index + 1, column: lineText.search(quoted), lineText };
}

function problemOf({ text, location, notes }: Esbuild.Message, { root }: Sources): Problem {
  const file = location && relative(root, resolve(root, location.file));
  const place = location ? `${file}:${location.line}:${location.column + 1}` : undefined;
  const line = location?.lineText;
  if (/^Top-level await is currently not supported/.test(text)) {
    return { message: "nothing can be awaited while the module is loaded", place, line, hint: "await it inside a function" };
  }
  const missing = /^Could not resolve "([^"]+)"/.exec(text)?.[1];
  if (missing !== undefined) {
    const hint = /^[./]/.test(missing)
      ? "is the path right, relative to this file?"
      : `is it installed? npm install ${missing}`;
    return { message: `\`${missing}\` cannot be found`, place, line, hint };
  }
  const words = notes.map((note) => note.text).filter((note) => note !== "");
  return { message: text, place, line, hint: words.length > 0 ? words.join("; ") : undefined };
}
