/** Tasks: functions that run once per attempt and may touch the outside world. */

import { refuseInStep } from "./executor.js";
import { DEFINITION, type Definition, inputOf, invoke, type Kind, type Target } from "./functions.js";
import { currentRun } from "./host.js";
import { Operation } from "./operation.js";
import {
  CALL_OPTIONS,
  type CallOptions,
  COMMON_OPTIONS,
  type CommonOptions,
  type Names,
  refuseUnknown,
  startOptions,
  TASK_RETRY,
  WORKFLOW_RETRY,
} from "./options.js";
import { read, type Validator } from "./values.js";

/** What can be said about a task. */
export interface FunctionOptions<Input = unknown, Result = unknown> extends CommonOptions {
  /** The name by which the world knows it; the name of the export unless said, `chargeCard` as `charge_card`. */
  name?: string;
  /** For people: shown by `currant functions`. The doc comment of the export unless said. */
  description?: string;
  /** Checks the input before the function sees it: a function that answers it or throws, a Standard Schema (Zod, Valibot …), or `Json`. */
  input?: Validator<Input>;
  /** Checks a result before the caller sees it, in the same ways. */
  result?: Validator<Result>;
}

/** A task: called in a workflow it is started as an execution of its own; called anywhere else it just runs. */
export interface TaskFunction<Args extends unknown[], Result> {
  (...args: Args): Operation<Result>;
  /**
   * The same task with what holds for this call only.
   *
   *     await charge.with({ priority: 10, timeout: "20s" })(order);
   */
  with(options: CallOptions): TaskFunction<Args, Result>;
}

/**
 * Makes a task of a function. It runs once per attempt and may touch the outside world; let it be idempotent, with `context().id` as the key.
 *
 *     export const charge = task({ queue: "payments", retries: 5, timeout: "30s" }, async (order: Order) => {
 *       return `receipt for ${order.amount}`;
 *     });
 */
export function task<Input, Result>(
  options: FunctionOptions<Input, Result> & { input: Validator<Input> },
  body: (input: Input) => Result | Promise<Result>,
): TaskFunction<[input: Input], Result>;
export function task<Args extends unknown[], Result>(
  options: FunctionOptions<never, Result>,
  body: (...args: Args) => Result | Promise<Result>,
): TaskFunction<Args, Result>;
export function task<Args extends unknown[], Result>(
  body: (...args: Args) => Result | Promise<Result>,
): TaskFunction<Args, Result>;
export function task(...given: [FunctionOptions, Body] | [Body]): TaskFunction<unknown[], unknown> {
  return callable(targetOf("task", define("task", given)), {});
}

/**
 * A task that is known by its name: of another module, perhaps in another language.
 *
 *     const drawChart = task.named<[Figures], Chart>("draw_chart");
 */
task.named = <Args extends unknown[], Result>(name: string, options: { result?: Validator<Result> } = {}) =>
  callable({ kind: "task", name, result: options.result }, {}) as TaskFunction<Args, Result>;

const FUNCTION_OPTIONS: Names<FunctionOptions> = {
  ...COMMON_OPTIONS,
  name: true,
  description: true,
  input: true,
  result: true,
};

/** What is made into a task or workflow. */
export type Body = (...args: never[]) => unknown;

/** What `task` and `workflow` were given, as a definition. @internal */
export function define(kind: Kind, given: [FunctionOptions, Body] | [Body]): Definition {
  const [options, body] = given.length === 1 ? [{}, given[0]] : given;
  if (typeof body !== "function") throw new TypeError(`\`${kind}\` is given a function: ${kind}({ … }, async (input) => …)`);
  refuseUnknown(options, FUNCTION_OPTIONS, `the ${kind} \`${options.name ?? body.name}\``);
  const { name, description, input, result, ...rest } = options;
  return { kind, name, description, options: rest, body, input: input as Validator<unknown> | undefined, result };
}

/** The definition as something that can be called. @internal */
export function targetOf(kind: Kind, definition: Definition): Target {
  return {
    kind,
    definition,
    result: definition.result,
    get name() {
      return definition.name;
    },
  };
}

/** What the options of one call of a workflow can say besides. */
export interface Detachable {
  detached?: boolean;
}

const WORKFLOW_CALL_OPTIONS: Names<CallOptions & Detachable> = { ...CALL_OPTIONS, detached: true };

/** @internal */
export function callable(target: Target, options: CallOptions & Detachable): TaskFunction<unknown[], unknown> {
  const call = (...args: unknown[]) => start(target, options, args);
  return Object.assign(call, {
    with: (more: CallOptions & Detachable) => {
      refuseUnknown(more, target.kind === "task" ? CALL_OPTIONS : WORKFLOW_CALL_OPTIONS, `a call of the ${target.kind}`);
      return callable(target, { ...options, ...more });
    },
    [DEFINITION]: target.definition,
  });
}

function start(
  target: Target,
  { detached = false, ...options }: CallOptions & Detachable,
  args: unknown[],
): Operation<unknown> {
  const run = currentRun();
  if (run === undefined) return inPlace(target, args);
  refuseInStep(run, `calling the ${target.kind} \`${target.name}\``);
  const input = inputOf(target, args);
  const reading = {
    child: target.name ?? target.kind,
    value: (text: string) => read("invalid-result", `the result of \`${target.name}\``, text, target.result),
  };
  const base = target.definition?.options ?? {};
  if (target.kind === "task") {
    const number = run.host.startTask(target, input, startOptions(retrying(options, base), TASK_RETRY));
    return Operation.begun(run, number, reading);
  }
  const number = run.host.startWorkflow(target, input, startOptions(retrying(options, base), WORKFLOW_RETRY), detached);
  return Operation.begun(run, number, reading, detached);
}

/** A policy is said as a whole: what one call changes of it is completed from the function's own. */
function retrying(call: CallOptions, own: CommonOptions): CallOptions {
  const { retries, backoff, multiplier, maxBackoff } = call;
  if (retries === undefined && backoff === undefined && multiplier === undefined && maxBackoff === undefined) return call;
  const policy: Record<string, unknown> = {};
  for (const key of ["retries", "backoff", "multiplier", "maxBackoff"] as const) {
    const value = call[key] ?? own[key];
    if (value !== undefined) policy[key] = value;
  }
  return { ...call, ...policy };
}

/** A function is still a function: no queue, no retry, no record. */
function inPlace(target: Target, args: unknown[]): Operation<unknown> {
  const { definition } = target;
  if (definition?.kind === "task") return Operation.of(() => invoke(definition, inputOf(target, args)));
  const name = target.name === undefined ? "it" : `\`${target.name}\``;
  throw new TypeError(
    target.kind === "task"
      ? `${name} is known by its name only, and can be called in a workflow`
      : `${name} is a workflow: call it in a workflow, start it by a client, or try it in a test: await new Run().call(…)`,
  );
}
