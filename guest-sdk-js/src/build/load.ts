/**
 * Loads the module once in Node, with the globals that the engine has and no others.
 *
 * The engine loads a module at its build and keeps what memory holds then: what is drawn, read from a clock or set as a timer at that time would
 * be the same in every execution, or never happen. Here it is seen, with its place.
 */

import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import vm from "node:vm";

import { type BuildInfo, original } from "../stacks.js";
import { insteadOfGlobal } from "./advice.js";
import type { Bundle } from "./bundle.js";
import { BuildError, type Problem } from "./problem.js";
import type { Sources } from "./sources.js";

/** A function that a module offers. */
export interface FunctionSummary {
  readonly name: string;
  readonly kind: "task" | "workflow";
  readonly queue?: string | undefined;
  readonly description?: string | undefined;
}

/** What a module offers, and what is odd about how it is loaded. Throws what is wrong. */
export async function load(sources: Sources, bundle: Bundle): Promise<{ functions: FunctionSummary[]; warnings: Problem[] }> {
  const watch = new Watch(bundle.info.map);
  const module = { exports: {} as { entry?: { describe(): { functions: FunctionSummary[] } } } };
  let functions: FunctionSummary[] = [];
  try {
    const wrapped = vm.runInContext(`(function (module, exports, require) {${bundle.code}\n})`, watch.context(), {
      filename: FILE,
    });
    wrapped(module, module.exports, watch.imports);
    const described = module.exports.entry?.describe().functions ?? [];
    // They are objects of the other world.
    functions = Array.from(described, ({ name, kind, queue, description }) => ({ name, kind, queue, description }));
  } catch (error) {
    if (watch.errors.length === 0) watch.errors.push(thrownAtLoad(error as Error, bundle.info.map));
  }
  const withLines = (problems: Problem[]) => Promise.all(problems.map((problem) => withLine(problem, sources)));
  if (watch.errors.length > 0) throw new BuildError(await withLines(watch.errors));
  if (functions.length === 0) {
    throw new BuildError([
      {
        message: "the module offers no function",
        hint: "export one from its file: export const hello = task(async (name) => …)",
      },
    ]);
  }
  return { functions, warnings: await withLines(watch.warnings) };
}

/** As frames name it. */
const FILE = "currant-bundle.cjs";

/** The engine's globals beside the language's own. */
const GLOBALS = [
  ...["queueMicrotask", "structuredClone", "atob", "btoa", "Blob", "File", "Event", "EventTarget", "CustomEvent"],
  ...["AbortSignal", "AbortController", "FormData", "DOMException", "URL", "URLSearchParams", "TextEncoder", "TextDecoder"],
  ...["ReadableStream", "ReadableStreamDefaultReader", "ReadableStreamBYOBReader", "WritableStream", "TransformStream"],
  ...["ByteLengthQueuingStrategy", "CountQueuingStrategy", "CompressionStream", "DecompressionStream"],
  ...["Request", "Response", "Headers", "CryptoKey", "console"],
];

/** What the language has in Node, and not in the engine. */
const ABSENT = ["Intl", "WebAssembly", "SharedArrayBuffer", "Atomics"];

const ONCE = "it would be the same in every execution: it is drawn when the module is built";

class Watch {
  readonly errors: Problem[] = [];
  readonly warnings: Problem[] = [];
  readonly #map: BuildInfo["map"];

  constructor(map: BuildInfo["map"]) {
    this.#map = map;
  }

  context(): vm.Context {
    const globals: Record<string | symbol, unknown> = { [Symbol.for("currant.loading")]: true };
    for (const name of GLOBALS) globals[name] = (globalThis as Record<string, unknown>)[name];
    for (const name of ["setTimeout", "setInterval"]) {
      globals[name] = () => this.#refuse(`\`${name}\` while the module is loaded never fires`, "set it inside a function");
    }
    for (const name of ["clearTimeout", "clearInterval"]) globals[name] = () => {};
    globals.fetch = () => {
      this.#refuse(
        "`fetch` while the module is loaded: the network is there for tasks and steps only",
        "fetch inside a task or step",
      );
      return new Promise(() => {});
    };
    globals.crypto = this.#watched(crypto, "crypto", ["getRandomValues", "randomUUID"]);
    globals.performance = new Proxy(
      {},
      {
        get: (_, name) => {
          this.#refuse(`\`performance.${String(name)}\` while the module is loaded`, "measure inside a function");
          return () => 0;
        },
      },
    );
    const context = vm.createContext(globals);
    vm.runInContext("globalThis.self = globalThis", context);
    for (const name of ABSENT) vm.runInContext(`delete globalThis.${name}`, context);
    const math = vm.runInContext("Math", context);
    math.random = () => {
      this.#refuse("`Math.random()` while the module is loaded", `${ONCE}. Draw inside a function`);
      return 0.5;
    };
    globals.Date = this.#date(vm.runInContext("Date", context));
    Error.stackTraceLimit = Math.max(Error.stackTraceLimit, 30);
    return context;
  }

  /** Imports of the contract: nobody is there to answer while the module is loaded. */
  readonly imports = (specifier: string) =>
    new Proxy({} as Record<string, unknown>, {
      get: (_, name) => {
        if (name === "__esModule") return true;
        return () => {
          throw new Error(`\`${String(name)}\` of ${specifier} is called while the module is loaded`);
        };
      },
    });

  #watched(real: object, label: string, names: string[]): object {
    return new Proxy(real, {
      get: (target, name) => {
        if (names.includes(String(name))) {
          this.#refuse(`\`${label}.${String(name)}()\` while the module is loaded`, `${ONCE}. Draw inside a function`);
        }
        const value = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  #date(real: DateConstructor): DateConstructor {
    const read = (how: string) =>
      this.#warn(`\`${how}\` while the module is loaded`, "it stays the time of the build: read the clock inside a function");
    return new Proxy(real, {
      construct: (target, given, newTarget) => {
        if (given.length === 0) read("new Date()");
        return Reflect.construct(target, given, newTarget);
      },
      apply: (target) => {
        read("Date()");
        return target();
      },
      get: (target, name, receiver) => {
        if (name === "now") read("Date.now()");
        return Reflect.get(target, name, receiver);
      },
    });
  }

  #refuse(message: string, hint: string): void {
    this.errors.push({ message, hint, place: placeIn(new Error().stack, this.#map) });
  }

  #warn(message: string, hint: string): void {
    this.warnings.push({ message, hint, place: placeIn(new Error().stack, this.#map) });
  }
}

/** The first frame that comes from a file of the author's or of a package of theirs. */
function placeIn(stack: string | undefined, map: BuildInfo["map"]): string | undefined {
  for (const [, row, column] of (stack ?? "").matchAll(/currant-bundle\.cjs:(\d+):(\d+)/g)) {
    const place = original(map, Number(row), Number(column) - (row === "1" ? WRAPPER : 0));
    if (place !== undefined) return place;
  }
  return undefined;
}

const WRAPPER = "(function (module, exports, require) {".length;

function thrownAtLoad(error: Error, map: BuildInfo["map"]): Problem {
  const name = error.name && error.name !== "Error" ? `${error.name}: ` : "";
  const place = placeIn(error.stack, map);
  const message =
    place === undefined ? `${name}${error.message}` : `${name}${error.message} (thrown while the module is loaded)`;
  return { message, place, hint: insteadOfGlobal(error.message) };
}

async function withLine(problem: Problem, { root }: Sources): Promise<Problem> {
  const [, file, row] = /^(.*):(\d+):\d+$/.exec(problem.place ?? "") ?? [];
  if (file === undefined) return problem;
  const text = await readFile(resolve(root, file), "utf8").catch(() => "");
  return { ...problem, line: text.split("\n")[Number(row) - 1] };
}
