/** How often and how long: the settings of a function, and those of one call. */

import { type Duration, milliseconds } from "./durations.js";

/** How often, and after how long, a failed attempt is tried again. */
export interface RetryOptions {
  /** Retries after the first attempt; 0 means one attempt and no retry. 3 for a task, 0 for a workflow unless said. */
  retries?: number;
  /** The pause before the first retry; 1 s unless said. */
  backoff?: Duration;
  /** By how much each pause is longer than the one before; at least 1, and 2 unless said. */
  multiplier?: number;
  /** No pause is longer; 5 min unless said. */
  maxBackoff?: Duration;
}

/** What holds for a function, and can be said otherwise for one call. */
export interface CommonOptions extends RetryOptions {
  /** The queue in which its executions wait. */
  queue?: string;
  /** Higher goes first; 0 unless said. */
  priority?: number;
  /** How long one attempt may take. */
  timeout?: Duration;
  /** How long it may wait for its first attempt. */
  queueTimeout?: Duration;
  /** How long it may take from its start to its end, all attempts and pauses included. */
  totalTimeout?: Duration;
  /** The longest time between two heartbeats of a task. */
  heartbeat?: Duration;
}

/** What is said about one call; what is not said here is as the function itself says. */
export interface CallOptions extends CommonOptions {
  /** It does not start before this much time has passed. */
  delay?: Duration;
  /** If an execution with this key exists and is open or completed, no other is started: the call has the outcome of that one. */
  taskId?: string;
  /** Executions with the same key share the queue's concurrency limit per key. */
  concurrencyKey?: string;
  /** Marks it for `currant list --tag`. */
  tags?: string[];
}

/** Names of options. A record, so that the compiler sees whether one is missing. */
export type Names<Options> = Readonly<Record<keyof Options, true>>;

export const COMMON_OPTIONS: Names<CommonOptions> = {
  ...{ queue: true, priority: true, timeout: true, queueTimeout: true, totalTimeout: true, heartbeat: true },
  ...{ retries: true, backoff: true, multiplier: true, maxBackoff: true },
};

export const CALL_OPTIONS: Names<CallOptions> = {
  ...COMMON_OPTIONS,
  ...{ delay: true, taskId: true, concurrencyKey: true, tags: true },
};

/** Throws if there is an option of another name: it would otherwise do nothing, and nobody would know. */
export function refuseUnknown(options: object, names: Readonly<Record<string, true>>, what: string): void {
  const known = Object.keys(names);
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const plain = (text: string) => text.replaceAll("_", "").toLowerCase();
    const meant =
      known.find((other) => plain(other) === plain(name)) ?? known.find((other) => other.startsWith(name.slice(0, 4)));
    const hint = meant === undefined ? `there are ${known.join(", ")}` : `did you mean \`${meant}\`?`;
    throw new TypeError(`${what} has no option \`${name}\`: ${hint}`);
  }
}

/** How often a failed attempt is tried again, in milliseconds. */
export interface RetryPolicy {
  retries: number;
  backoff: number;
  multiplier: number;
  maxBackoff: number;
}

/** How long things may take, in milliseconds; undefined is no limit of this kind. */
export interface Timeouts {
  queue?: number | undefined;
  attempt?: number | undefined;
  heartbeat?: number | undefined;
  total?: number | undefined;
}

/** The options of one call, as the contract counts. */
export interface StartOptions {
  queue?: string | undefined;
  priority?: number | undefined;
  delay?: number | undefined;
  retry?: RetryPolicy | undefined;
  timeouts: Timeouts;
  taskId?: string | undefined;
  concurrencyKey?: string | undefined;
  tags: string[];
}

/** What the host applies to a task that says nothing: 3 retries, after 1 s, doubling, up to 5 min. */
export const TASK_RETRY: RetryPolicy = { retries: 3, backoff: 1000, multiplier: 2, maxBackoff: 300_000 };

/** The same for a workflow: it is replayed, and not retried. */
export const WORKFLOW_RETRY: RetryPolicy = { ...TASK_RETRY, retries: 0 };

/** A policy of which some parts were said; undefined if nothing was. */
export function retryPolicy(options: RetryOptions, base: RetryPolicy): RetryPolicy | undefined {
  const { retries, backoff, multiplier, maxBackoff } = options;
  if (retries === undefined && backoff === undefined && multiplier === undefined && maxBackoff === undefined) return undefined;
  if (retries !== undefined && !(Number.isInteger(retries) && retries >= 0)) {
    throw new RangeError(`\`retries\` is a whole number from 0, not ${retries}`);
  }
  if (multiplier !== undefined && !(multiplier >= 1)) throw new RangeError(`\`multiplier\` is at least 1, not ${multiplier}`);
  return {
    retries: retries ?? base.retries,
    backoff: backoff === undefined ? base.backoff : milliseconds(backoff, "`backoff`"),
    multiplier: multiplier ?? base.multiplier,
    maxBackoff: maxBackoff === undefined ? base.maxBackoff : milliseconds(maxBackoff, "`maxBackoff`"),
  };
}

/** The time limits that were said. */
export function timeouts(options: CommonOptions): Timeouts {
  const limit = (length: Duration | undefined, name: string) =>
    length === undefined ? undefined : milliseconds(length, `\`${name}\``);
  return {
    queue: limit(options.queueTimeout, "queueTimeout"),
    attempt: limit(options.timeout, "timeout"),
    heartbeat: limit(options.heartbeat, "heartbeat"),
    total: limit(options.totalTimeout, "totalTimeout"),
  };
}

/** The options of one call, checked. */
export function startOptions(options: CallOptions, base: RetryPolicy): StartOptions {
  return {
    queue: options.queue,
    priority: priority(options.priority),
    delay: options.delay === undefined ? undefined : milliseconds(options.delay, "`delay`"),
    retry: retryPolicy(options, base),
    timeouts: timeouts(options),
    taskId: options.taskId,
    concurrencyKey: options.concurrencyKey,
    tags: options.tags ?? [],
  };
}

/** A priority as the contract holds it. */
export function priority(value: number | undefined): number | undefined {
  if (value !== undefined && !(Number.isInteger(value) && value >= -32768 && value <= 32767)) {
    throw new RangeError(`\`priority\` is a whole number from -32768 to 32767, not ${value}`);
  }
  return value;
}
