/** What the component exports: `describe` and `run`. Imported by what the build generates, before any file of the author. */

import type * as types from "currant:guest/types@0.1.0";

import { isCancelled } from "./context.js";
import { Run } from "./executor.js";
import { NonRetryable, RateLimited, recordOf } from "./failures.js";
import { collect, type Definition, invoke, type Modules, perform } from "./functions.js";
import { replaceGlobals, replaceRandom } from "./globals.js";
import { component, failure, limits, retry, worker } from "./host/component.js";
import { enter } from "./host.js";
import { priority, retryPolicy, TASK_RETRY, timeouts, WORKFLOW_RETRY } from "./options.js";
import { buildInfo } from "./stacks.js";
import { encode } from "./values.js";
import { VERSION } from "./version.js";

// Whoever loads the module at its build watches these, to say what cannot be done there.
if (!(Symbol.for("currant.loading") in globalThis)) {
  replaceRandom();
  replaceGlobals();
  // The engine's own is frozen at the build.
  Object.defineProperty(performance, "timeOrigin", { get: () => Date.now() - performance.now() });
}

interface FunctionDescription {
  name: string;
  kind: "task" | "workflow";
  description?: string | undefined;
  queue?: string | undefined;
  priority?: number | undefined;
  retry?: types.RetryPolicy | undefined;
  timeouts: types.Timeouts;
  inputSchema?: string | undefined;
  resultSchema?: string | undefined;
}

/** Why `run` did not return a result. Thrown as it is: what is no `Error` is handed to the host. */
type RunError = { tag: "failed"; val: types.Failure } | { tag: "rate-limited"; val: bigint } | { tag: "cancelled" };

/** The exports of a component with these files. What is wrong with their functions is thrown here, at the build. */
export function entryOf(modules: Modules) {
  const functions = collect(modules);
  for (const definition of functions.values()) describe(definition);
  return {
    describe() {
      const { name = "module", version = "0.0.0" } = buildInfo() ?? {};
      return { name, version, sdk: `js ${VERSION}`, functions: [...functions.values()].map(describe) };
    },
    async run(name: string, input: string): Promise<string> {
      const definition = functions.get(name);
      enter({ run: () => undefined, surroundings: () => component });
      if (definition === undefined) {
        throw runError(new NonRetryable("unknown-function", `this module has no function \`${name}\``), false);
      }
      return definition.kind === "task" ? runTask(definition, input) : runWorkflow(definition, input);
    },
  };
}

async function runTask(definition: Definition, input: string): Promise<string> {
  try {
    return await perform(definition, input);
  } catch (error) {
    if (error instanceof RateLimited) throw { tag: "rate-limited", val: BigInt(error.retryAfter) } satisfies RunError;
    throw runError(error, isCancelled());
  }
}

async function runWorkflow(definition: Definition, input: string): Promise<string> {
  const run = new Run(worker);
  enter({ run: () => run, surroundings: () => component });
  const ended = await run.drive(() => invoke(definition, input));
  try {
    if ("error" in ended) throw ended.error;
    return encode(`the result of \`${definition.name}\``, ended.value);
  } catch (error) {
    throw runError(error, run.cancelled);
  }
}

/**
 * `cancelled` is said only when somebody asked for the cancellation: the same code from a child that was cancelled for other reasons is a
 * failure.
 */
function runError(error: unknown, cancelled: boolean): RunError {
  const record = recordOf(error);
  return record.code === "cancelled" && cancelled ? { tag: "cancelled" } : { tag: "failed", val: failure(record) };
}

function describe(definition: Definition): FunctionDescription {
  const { name = "", kind, options } = definition;
  try {
    return {
      name,
      kind,
      description: definition.description ?? buildInfo()?.descriptions[name],
      queue: options.queue,
      priority: priority(options.priority),
      retry: retry(retryPolicy(options, kind === "task" ? TASK_RETRY : WORKFLOW_RETRY)),
      timeouts: limits(timeouts(options)),
    };
  } catch (error) {
    throw new Error(`the ${kind} \`${name}\`: ${error instanceof Error ? error.message : error}`);
  }
}
