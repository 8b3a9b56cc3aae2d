/** The functions of Currant's schema, as statements. Lengths of time are milliseconds. */

import { type Duration, milliseconds } from "../durations.js";
import { type Names, refuseUnknown } from "../options.js";
import { encode } from "../values.js";

/** What can be said about executions that are started. What is not said is as their function says. */
export interface EnqueueManyOptions {
  queue?: string;
  /** Higher goes first. */
  priority?: number;
  /** Not before this time … */
  runAt?: Date;
  /** … or not before this much time has passed. */
  delay?: Duration;
  /** How long one attempt may take. */
  timeout?: Duration;
  /** How long it may wait for its first attempt. */
  queueTimeout?: Duration;
  /** How long it may take from its start to its end. */
  totalTimeout?: Duration;
  /** Retries after the first attempt. */
  retries?: number;
  /** Executions with the same key share the queue's concurrency limit per key. */
  concurrencyKey?: string;
  /** Marks it for `currant list --tag`. */
  tags?: string[];
  /** The trace that it belongs to (W3C), and what travels with it. */
  traceContext?: { trace_id?: string; baggage?: Record<string, string> };
}

/** The same of a single one, which can have a key. */
export interface EnqueueOptions extends EnqueueManyOptions {
  /** A key of yours, at most 255 characters: two requests with the same key are one execution. */
  taskId?: string;
}

/**
 * Settings of a queue. What is not named is left alone; what is named holds at once, in every worker, and stands before the workers' currant.toml;
 * what is null does not hold any more, whatever the file says.
 */
export interface QueueSettings {
  /** Holds first claims of attempts back. */
  paused?: boolean;
  /** How many attempts may begin in a time, in all workers together: `"100/sec"`, `"1000/min"`, `"5/hour"`. */
  rateLimit?: string | null;
  /** How many may begin at once when the queue was quiet. */
  burst?: number | null;
  /** How many run at once, in all workers together. */
  concurrency?: number | null;
  /** How many of them with the same concurrency key. */
  concurrencyPerKey?: number | null;
  /** How long what has ended is kept, tasks and workflows; `"forever"` is a length too. */
  retention?: Duration;
  retentionTasks?: Duration;
  retentionWorkflows?: Duration;
  retentionFailed?: Duration | null;
  retentionCancelled?: Duration | null;
}

const ENQUEUE_MANY_OPTIONS: Names<EnqueueManyOptions> = {
  ...{ queue: true, priority: true, runAt: true, delay: true, timeout: true, queueTimeout: true, totalTimeout: true },
  ...{ retries: true, concurrencyKey: true, tags: true, traceContext: true },
};

const ENQUEUE_OPTIONS: Names<EnqueueOptions> = { ...ENQUEUE_MANY_OPTIONS, taskId: true };

/** A statement and its parameters. */
export interface Statement {
  readonly text: string;
  readonly values: unknown[];
}

const OPTIONS = `
    queue => $3::text, run_at => coalesce($4::timestamptz, currant.now() + $5::bigint * interval '1 ms'), priority => $6::integer,
    timeout => $7::bigint * interval '1 ms', queue_timeout => $8::bigint * interval '1 ms',
    total_timeout => $9::bigint * interval '1 ms', retries => $10::integer, concurrency_key => $11::text, tags => $12::text[],
    trace_context => $13::text::json`;

/** Starts an execution. */
export function enqueueStatement(name: string, input: unknown, options: EnqueueOptions): Statement {
  refuseUnknown(options, ENQUEUE_OPTIONS, "`enqueue`");
  return {
    text: `select id, created, conflict from currant.enqueue($1::text, $2::text::json, ${OPTIONS}, task_id => $14::text)`,
    values: [name, encode(`the input of \`${name}\``, input), ...valuesOf(options), options.taskId ?? null],
  };
}

/** Starts one for each input. */
export function enqueueManyStatement(name: string, inputs: unknown[], options: EnqueueManyOptions): Statement {
  refuseUnknown(options, ENQUEUE_MANY_OPTIONS, "`enqueueMany`");
  const texts = inputs.map((input) => encode(`the input of \`${name}\``, input));
  return {
    text: `select id from unnest(currant.enqueue_many($1::text, $2::text[]::json[], ${OPTIONS})) as id`,
    values: [name, texts, ...valuesOf(options)],
  };
}

/** Of OPTIONS, in their order. */
function valuesOf(options: EnqueueManyOptions): unknown[] {
  const length = (value: Duration | undefined, what: string) =>
    value === undefined ? null : milliseconds(value, `\`${what}\``);
  return [
    options.queue ?? null,
    options.runAt?.toISOString() ?? null,
    length(options.delay, "delay"),
    options.priority ?? null,
    length(options.timeout, "timeout"),
    length(options.queueTimeout, "queueTimeout"),
    length(options.totalTimeout, "totalTimeout"),
    options.retries ?? null,
    options.concurrencyKey ?? null,
    options.tags ?? [],
    options.traceContext === undefined ? null : JSON.stringify(options.traceContext),
  ];
}

/** Ten thousand years. */
const FOREVER_MS = 315_576_000_000_000;

const NAMES: Record<string, string> = {
  paused: "paused",
  rateLimit: "rate_limit",
  burst: "burst",
  concurrency: "concurrency",
  concurrencyPerKey: "concurrency_per_key",
  retentionTasks: "retention_tasks",
  retentionWorkflows: "retention_workflows",
  retentionFailed: "retention_failed",
  retentionCancelled: "retention_cancelled",
};

/** Changes the settings of a queue that are named. */
export function configureStatement(queue: string, { retention, ...settings }: QueueSettings): Statement {
  const both = retention === undefined ? {} : { retentionTasks: retention, retentionWorkflows: retention };
  const values: unknown[] = [queue];
  const without: string[] = [];
  let text = "";
  for (const [key, value] of Object.entries({ ...both, ...settings })) {
    const name = NAMES[key];
    if (name === undefined)
      throw new TypeError(`there is no setting \`${key}\` of queues; there are ${Object.keys(NAMES).join(", ")}`);
    if (value === undefined) continue;
    if (value === null) {
      without.push(name);
    } else if (name.startsWith("retention_")) {
      values.push(value === "forever" ? FOREVER_MS : milliseconds(value as Duration, `\`${key}\``));
      text += `, ${name} => $${values.length}::bigint * interval '1 ms'`;
    } else {
      values.push(value);
      text += `, ${name} => $${values.length}`;
    }
  }
  values.push(without);
  return { text: `select currant.configure_queue($1::text${text}, without => $${values.length}::text[])`, values };
}

/** Takes settings back that were set by command. */
export function resetStatement(queue: string, settings: (keyof QueueSettings)[]): Statement {
  const names = settings.flatMap((key) =>
    key === "retention" ? ["retention_tasks", "retention_workflows"] : [NAMES[key] ?? key],
  );
  return { text: "select currant.reset_queue($1::text, $2::text[])", values: [queue, names.length === 0 ? null : names] };
}

/** How it ended, if it has. The values are text: `pg` would parse them before their digits can be kept. */
export const RESULT = "select status, result::text as result, failure::text as failure from currant.result($1::uuid)";

export const STATUS = "select to_jsonb(execution) as execution from currant.status($1::uuid) as execution";

export const SIGNAL = "select currant.signal($1::uuid, $2::text, $3::text::json, $4::text) as sent";

export const CANCEL = "select currant.cancel($1::uuid) as answer";

export const RETRY = "select currant.retry($1::uuid, $2::boolean)";

export const COMPLETE = "select currant.complete($1::text, $2::text::json)";

export const FAIL = "select currant.fail($1::text, $2::text::json)";
