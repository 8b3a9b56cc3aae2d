/** The worker, reached through the component's imports. Nothing but conversions. */

import * as context from "currant:guest/context@0.1.0";
import * as task from "currant:guest/task@0.1.0";
import * as telemetry from "currant:guest/telemetry@0.1.0";
import type * as types from "currant:guest/types@0.1.0";
import * as workflow from "currant:guest/workflow@0.1.0";
import { getEnvironment } from "wasi:cli/environment@0.2.10";

import type { FailureRecord } from "../failures.js";
import { nameOf } from "../functions.js";
import type { Host, Outcome, Surroundings } from "../host.js";
import type { RetryPolicy, StartOptions, Timeouts } from "../options.js";
import type { Attributes } from "../telemetry.js";

const { setTimeout } = globalThis;

/** The worker that this component runs in. */
export const worker: Host = {
  startTask: (target, input, options) => workflow.startTask(nameOf(target), input, startOptions(options)),
  startWorkflow: (target, input, options, detached) =>
    workflow.startWorkflow(nameOf(target), input, startOptions(options), detached),
  startTimer: (milliseconds) => workflow.startTimer(BigInt(milliseconds)),
  receiveSignal: (name) => workflow.receiveSignal(name),
  external() {
    const [operation, token] = workflow.external();
    return { operation, token };
  },
  wait(operations) {
    try {
      const { operation, outcome } = workflow.wait(Uint32Array.from(operations));
      return { operation, outcome: outcomeOf(outcome) };
    } catch (error) {
      if ((error as { payload?: unknown }).payload === "cancelled") return "cancelled";
      throw error;
    }
  },
  cancel: (operation) => workflow.cancel(operation),
  beginStep(name) {
    const recorded = workflow.beginStep(name);
    return recorded && outcomeOf(recorded);
  },
  endStep: (outcome) =>
    workflow.endStep(
      "value" in outcome ? { tag: "completed", val: outcome.value } : { tag: "failed", val: failure(outcome.failure) },
    ),
  version: (change, min, max) => workflow.version(change, min, max),
  continueAsNew: (input) => workflow.continueAsNew(input),
  publish: (progress) => workflow.publish(progress),
  // The engine runs every promise that can go on before a timer, even one of no length; and the workflow's own timers are not the engine's.
  quiet: () => new Promise((resolve) => void setTimeout(resolve, 0)),
};

const METRICS = { counter: telemetry.counter, histogram: telemetry.histogram, gauge: telemetry.gauge };

/** Constant for an instance. */
let variables: Record<string, string> | undefined;

/** What the worker tells everybody. */
export const component: Surroundings = {
  execution() {
    const { deadline, ...now } = context.current();
    return {
      ...now,
      taskId: now.taskId,
      parent: now.parent,
      deadline: deadline === undefined ? undefined : new Date(Number(deadline)),
    };
  },
  trace: () => context.trace(),
  environment() {
    variables ??= Object.fromEntries(getEnvironment());
    return variables;
  },
  isCancelled: () => context.isCancelled(),
  heartbeat: (progress) => task.heartbeat(progress),
  lastProgress: () => task.lastProgress(),
  log: (level, message, attributes) => telemetry.log(level, message, attributesOf(attributes)),
  measure: (kind, name, value, attributes) => METRICS[kind](name, value, attributesOf(attributes)),
  span(name, attributes) {
    const span = new telemetry.Span(name, attributesOf(attributes));
    return {
      set: (name, value) => span.set([name, JSON.stringify(value) ?? "null"]),
      fail: (message) => span.fail(message),
      end: () => span[Symbol.dispose](),
    };
  },
};

/** A policy in the contract's words. */
export function retry(policy: RetryPolicy | undefined): types.RetryPolicy | undefined {
  return policy && { ...policy, backoff: BigInt(policy.backoff), maxBackoff: BigInt(policy.maxBackoff) };
}

/** Time limits in the contract's words. */
export function limits({ queue, attempt, heartbeat, total }: Timeouts): types.Timeouts {
  return { queue: long(queue), attempt: long(attempt), heartbeat: long(heartbeat), total: long(total) };
}

/** A failure in the contract's words. */
export function failure(record: FailureRecord): types.Failure {
  return { ...record, retryAfter: long(record.retryAfter) };
}

function startOptions(options: StartOptions): workflow.StartOptions {
  return { ...options, delay: long(options.delay), retry: retry(options.retry), timeouts: limits(options.timeouts) };
}

function outcomeOf(outcome: types.Outcome): Outcome {
  if (outcome.tag === "completed") return { value: outcome.val };
  const { retryAfter, ...record } = outcome.val;
  return { failure: { ...record, retryAfter: retryAfter === undefined ? undefined : Number(retryAfter) } };
}

function attributesOf(attributes: Attributes): telemetry.Attribute[] {
  return Object.entries(attributes).map(([name, value]) => [name, JSON.stringify(value) ?? "null"]);
}

function long(milliseconds: number | undefined): bigint | undefined {
  return milliseconds === undefined ? undefined : BigInt(milliseconds);
}
