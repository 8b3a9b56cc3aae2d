/** What all executions of one call share: attempts, retries, and who is being run. */

import type { Execution } from "../context.js";
import { Run } from "../executor.js";
import { NonRetryable, RateLimited, recordOf } from "../failures.js";
import { type Definition, invoke, nameOf, perform, type Target } from "../functions.js";
import { executionOf, native } from "../host/native.js";
import type { Outcome, Surroundings } from "../host.js";
import { type RetryPolicy, retryPolicy, type StartOptions, TASK_RETRY, WORKFLOW_RETRY } from "../options.js";
import { decode, encode } from "../values.js";
import type { Script } from "./script.js";
import { Simulation } from "./simulation.js";

/** Whose code is being executed. */
export interface Place {
  readonly run?: Run;
  readonly surroundings: Surroundings;
  /** The simulated time, in milliseconds since 1970. */
  readonly now?: () => number;
}

/** An execution that is to be run. */
export interface Request {
  readonly target: Target;
  readonly input: string;
  readonly options?: StartOptions;
}

/** How an execution ended, and when, in milliseconds from the beginning of the call. */
export interface Ending {
  readonly outcome: Outcome;
  readonly at: number;
}

const NO_OPTIONS: StartOptions = { timeouts: {}, tags: [] };

/** As the host does it: a queue that is slowed down costs no retry, but not for ever. */
const PAUSES = 100;

/** What all executions of one call share. */
export class World {
  readonly script: Script;
  /** How long the call took. */
  elapsed = 0;
  /** JSON text. */
  published: string | undefined;

  readonly #began = Date.now();
  readonly #at: <T>(place: Place, body: () => Promise<T>) => Promise<T>;
  readonly #attempts = new Map<Definition | string, number>();
  #executions = 0;

  constructor(script: Script, at: <T>(place: Place, body: () => Promise<T>) => Promise<T>) {
    this.script = script;
    this.#at = at;
  }

  /** Runs what the test called. */
  async call(target: Target, input: string): Promise<Outcome> {
    const { outcome, at } = await this.perform({ target, input }, 0, 0);
    this.elapsed = at;
    return outcome;
  }

  /** How many attempts were made. */
  attempts(key: Definition | string): number {
    return this.#attempts.get(key) ?? 0;
  }

  /** Runs an execution that was started at `began`, with its retries. `depth` is 0 for the one that the test called. */
  async perform({ target, input, options = NO_OPTIONS }: Request, depth: number, began: number): Promise<Ending> {
    const key = target.definition ?? nameOf(target);
    const policy = policyOf(target, options);
    const number = ++this.#executions;
    let now = began + (options.delay ?? 0);
    let progress: string | undefined;
    for (let attempt = 1, pauses = 0; ; ) {
      this.#attempts.set(key, this.attempts(key) + 1);
      const execution: Execution = {
        ...executionOf(target.name ?? "", number),
        attempt,
        taskId: options.taskId,
        queue: options.queue ?? target.definition?.options.queue ?? "default",
      };
      const said = { progress };
      const { thrown, outcome, at } = await this.#attempt(target, input, execution, said, depth, now);
      now = at;
      progress = said.progress;
      if (!("failure" in outcome)) return { outcome, at: now };
      const { retryable, retryAfter } = outcome.failure;
      if (thrown instanceof RateLimited && target.kind === "task" && pauses < PAUSES) {
        now += thrown.retryAfter;
        pauses += 1;
      } else if (retryable && attempt <= policy.retries) {
        now += retryAfter ?? Math.min(policy.backoff * policy.multiplier ** (attempt - 1), policy.maxBackoff);
        attempt += 1;
      } else {
        return { outcome, at: now };
      }
    }
  }

  async #attempt(
    target: Target,
    input: string,
    execution: Execution,
    said: { progress: string | undefined },
    depth: number,
    now: number,
  ): Promise<Ending & { thrown?: unknown }> {
    const surroundings = this.#surroundings(execution, said);
    const { definition } = target;
    const mock = this.script.mocks.get(definition ?? "") ?? this.script.mocks.get(target.name ?? "");
    try {
      if (mock) {
        const result = await this.#at({ surroundings, now: () => this.#began + now }, async () =>
          mock(...argsOf(target, input)),
        );
        return { outcome: { value: encode("the result of a mock", result) }, at: now };
      }
      if (definition === undefined) throw unknown(target);
      if (definition.kind === "workflow") return await this.#workflow(definition, input, surroundings, depth, now);
      const place = { surroundings };
      return { outcome: { value: await this.#at(place, () => perform(definition, input)) }, at: now };
    } catch (thrown) {
      return { outcome: { failure: recordOf(thrown) }, at: now, thrown };
    }
  }

  /** From its beginning to its end, however often it continues as new. */
  async #workflow(
    definition: Definition,
    first: string,
    surroundings: Surroundings,
    depth: number,
    began: number,
  ): Promise<Ending & { thrown?: unknown }> {
    let [input, now] = [first, began];
    // Signals that were not read follow it.
    const messages = depth === 0 ? [...this.script.signals].sort((one, other) => one.at - other.at) : [];
    for (;;) {
      const simulation = new Simulation(this, depth, now, messages);
      const run = new Run(simulation);
      const place = { run, surroundings, now: () => this.#began + simulation.now };
      const ended = await this.#at(place, () => run.drive(() => invoke(definition, input)));
      now = simulation.now;
      if (run.continued) {
        input = simulation.next ?? "null";
        continue;
      }
      if ("error" in ended) return { outcome: { failure: recordOf(ended.error) }, at: now, thrown: ended.error };
      return { outcome: { value: encode(`the result of \`${definition.name ?? "workflow"}\``, ended.value) }, at: now };
    }
  }

  #surroundings(execution: Execution, said: { progress: string | undefined }): Surroundings {
    const last = said.progress;
    return {
      ...native,
      execution: () => execution,
      environment: () => ({ ...native.environment(), ...this.script.variables }),
      heartbeat(progress) {
        said.progress = progress;
        return false;
      },
      lastProgress: () => last,
    };
  }
}

function argsOf(target: Target, input: string): unknown[] {
  const value = decode("invalid-input", "the input of a mock", input);
  const several = Array.isArray(value) && (target.definition === undefined || target.definition.body.length > 1);
  return several ? (value as unknown[]) : [value];
}

function unknown(target: Target): NonRetryable {
  return new NonRetryable(
    "unknown-function",
    `the test has no ${target.kind} \`${target.name}\`: mock it, run.mock("${target.name}", (input) => …)`,
  );
}

function policyOf({ kind, definition }: Target, options: StartOptions): RetryPolicy {
  const base = kind === "task" ? TASK_RETRY : WORKFLOW_RETRY;
  return options.retry ?? retryPolicy(definition?.options ?? {}, base) ?? base;
}
