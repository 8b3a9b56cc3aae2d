/** What `task` and `workflow` make: a function that knows what it is, and is found by its name. */

import { NonRetryable } from "./failures.js";
import type { CommonOptions } from "./options.js";
import { encode, read, type Validator } from "./values.js";

/** Whether a function runs once per attempt, or is replayed. */
export type Kind = "task" | "workflow";

/** A function of this module. */
export interface Definition {
  readonly kind: Kind;
  /** Said by its author, or given by the name under which it is exported. */
  name: string | undefined;
  readonly description: string | undefined;
  readonly options: CommonOptions;
  readonly body: (...args: never[]) => unknown;
  readonly input: Validator<unknown> | undefined;
  readonly result: Validator<unknown> | undefined;
}

/** What is called: a function of this module, or one of another that is known by its name only. */
export interface Target {
  readonly kind: Kind;
  readonly name: string | undefined;
  readonly definition?: Definition;
  readonly result?: Validator<unknown> | undefined;
}

/** A task or a workflow that takes these arguments and answers this. */
export type AnyFunction<Args extends unknown[], Result> = (...args: Args) => Promise<Result>;

/** Where a callable keeps its definition. Registered, so that two copies of this package know each other's functions. */
export const DEFINITION = Symbol.for("currant.function");

/** The definition behind something that `task` or `workflow` made; undefined for anything else. */
export function definitionOf(value: unknown): Definition | undefined {
  return typeof value === "function" ? (value as { [DEFINITION]?: Definition })[DEFINITION] : undefined;
}

/** `chargeCard` → `charge_card`: names of functions are the same in every language, and have no capitals. */
export function nameOfExport(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1_$2")
    .toLowerCase();
}

/** The name by which the world knows it. */
export function nameOf(target: Target | Definition): string {
  const name = "definition" in target ? target.definition?.name : target.name;
  if (name !== undefined) return name;
  throw new NonRetryable(
    "unknown-function",
    `a ${target.kind} that is called has no name: export it from the module, or give it one by the option \`name\``,
  );
}

/** Exports by file. */
export type Modules = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** Every task and workflow that these files export, by name; gives those a name that have none. Throws what is wrong with them. */
export function collect(modules: Modules): Map<string, Definition> {
  const found = new Map<string, { definition: Definition; place: string }>();
  const known = new Set<Definition>();
  for (const [file, exports] of Object.entries(modules)) {
    for (const [key, value] of Object.entries(exports)) {
      const definition = definitionOf(value);
      if (definition === undefined || known.has(definition)) continue;
      known.add(definition);
      if (definition.name === undefined && key === "default") {
        throw new Error(
          `the default export of ${file} is a ${definition.kind} without a name: export it as a const, or give it \`name\``,
        );
      }
      definition.name ??= nameOfExport(key);
      const { name } = definition;
      if (!/^[a-z0-9_.-]{1,100}$/.test(name)) {
        throw new Error(
          `\`${name}\` (${file}) is no name for a function: it is made of a-z, 0-9, _, . and -, 1 to 100 of them`,
        );
      }
      const other = found.get(name);
      const place = `\`${key}\` of ${file}`;
      if (other) throw new Error(`two functions are called \`${name}\`: ${other.place} and ${place}`);
      found.set(name, { definition, place });
    }
  }
  return new Map([...found].map(([name, { definition }]) => [name, definition]));
}

/** One argument is the input itself, several are an array, none is `null`. */
export function inputOf(target: Target, args: readonly unknown[]): string {
  const { definition } = target;
  const what = `the input of \`${target.name ?? target.kind}\``;
  if (definition && takesArray(definition)) return encode(what, args);
  if (definition && args.length > 1) {
    throw new RangeError(
      `${what} is one value, not ${args.length}: its function has one parameter without a default. Give it an object, or two parameters without defaults`,
    );
  }
  return encode(what, args.length > 1 ? args : args[0]);
}

/** Runs the function's own code on an input, and answers its result as text. */
export async function perform(definition: Definition, input: string): Promise<string> {
  const result = await invoke(definition, input);
  return encode(`the result of \`${definition.name ?? definition.kind}\``, result);
}

/** Runs the function's own code on an input. */
export async function invoke(definition: Definition, input: string): Promise<unknown> {
  const what = `the input of \`${definition.name ?? definition.kind}\``;
  const value = await read("invalid-input", what, input, definition.input);
  const body = definition.body as (...args: unknown[]) => unknown;
  if (!takesArray(definition)) return value === null && body.length === 0 ? body() : body(value);
  if (Array.isArray(value)) return body(...value);
  throw new NonRetryable("invalid-input", `${what} is not what is expected: an array of ${body.length} values`);
}

function takesArray(definition: Definition): boolean {
  return definition.body.length > 1;
}
