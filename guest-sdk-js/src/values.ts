/** What crosses the border of a function: JSON text. */

import { NonRetryable } from "./failures.js";

/**
 * A value that is passed on as it is: the same text, byte for byte, without being understood. `JSON.parse` would turn `1.0` into `1` and
 * lose digits of large numbers.
 *
 *     export const store = task({ input: Json }, async (document: Json) => save(document.text));
 */
export class Json {
  /** So that the class itself can be given as a validator, with its type. `read` below takes the text instead of the value. */
  static readonly "~standard": StandardSchema<Json>["~standard"] = {
    version: 1,
    vendor: "currant",
    validate: (value) => ({ value: Json.of(value) }),
  };

  /** The text. */
  readonly text: string;

  constructor(text: string) {
    JSON.parse(text);
    this.text = text;
  }

  /** Any value, as JSON. */
  static of(value: unknown): Json {
    return new Json(encode("a value", value));
  }

  /** What the text means. */
  read<T>(): T {
    return JSON.parse(this.text) as T;
  }

  toJSON(): unknown {
    return this.read();
  }
}

/** The part of [Standard Schema](https://standardschema.dev) that is needed: Zod, Valibot, ArkType and others speak it. */
export interface StandardSchema<T> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<T> | Promise<SchemaResult<T>>;
    readonly types?: { readonly input: unknown; readonly output: T } | undefined;
  };
}

type SchemaResult<T> =
  | { readonly value: T; readonly issues?: undefined }
  | { readonly issues: ReadonlyArray<{ readonly message: string; readonly path?: ReadonlyArray<unknown> | undefined }> };

/** Checks a value and answers it, or throws: a function, a Standard Schema, or `Json` for the text itself. */
export type Validator<T> = ((value: unknown) => T) | StandardSchema<T>;

/** `what` names the value in the failure, such as ``the result of `charge` ``. */
export function encode(what: string, value: unknown): string {
  if (value instanceof Json) return value.text;
  let reason = "a function or a symbol is no value";
  try {
    const text = JSON.stringify(value === undefined ? null : value);
    if (text !== undefined) return text;
  } catch (error) {
    reason = error instanceof Error ? error.message : String(error);
  }
  throw new NonRetryable("invalid-value", `${what} cannot be written as JSON: ${reason}`);
}

/** Not retryable: the same text gives the same error at every attempt. */
export function decode(code: string, what: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalid(code, what, error instanceof Error ? error.message : String(error));
  }
}

/** The text as what a validator makes of it. Waits only if the validator does. */
export function read<T>(code: string, what: string, text: string, validator?: Validator<T>): T | Promise<T> {
  if ((validator as unknown) === Json) return new Json(text) as T;
  const value = decode(code, what, text);
  if (validator === undefined) return value as T;
  if (!("~standard" in validator)) {
    try {
      return validator(value);
    } catch (error) {
      throw invalid(code, what, error instanceof Error ? error.message : String(error), error);
    }
  }
  const checked = validator["~standard"].validate(value);
  return checked instanceof Promise ? checked.then((result) => accept(code, what, result)) : accept(code, what, checked);
}

function accept<T>(code: string, what: string, result: SchemaResult<T>): T {
  if (result.issues === undefined) return result.value;
  const issues = result.issues.map(({ message, path = [] }) => {
    const place = path.map((part) => (typeof part === "object" && part !== null && "key" in part ? part.key : part));
    return place.length > 0 ? `${place.map(String).join(".")}: ${message}` : message;
  });
  throw invalid(code, what, issues.join("; "));
}

function invalid(code: string, what: string, reason: string, cause?: unknown): NonRetryable {
  return new NonRetryable(code, `${what} is not what is expected: ${reason}`, { cause });
}
