/** The functions of Currant's schema, as statements. Lengths of time are milliseconds. */

import { type Duration, milliseconds } from "../durations.js";
import { type Names, refuseUnknown } from "../options.js";
import { encode } from "../values.js";

/** What can be said about an execution that is started. What is not said is as its function says. */
export interface EnqueueOptions {
  /** A key of yours, at most 255 characters: two requests with the same key are one execution. */
  taskId?: string;
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

const ENQUEUE_OPTIONS: Names<EnqueueOptions> = {
  ...{
    taskId: true,
    queue: true,
    priority: true,
    runAt: true,
    delay: true,
    timeout: true,
    queueTimeout: true,
    totalTimeout: true,
  },
  ...{ retries: true, concurrencyKey: true, tags: true, traceContext: true },
};

/** A statement and its parameters. */
export interface Statement {
  readonly text: string;
  readonly values: unknown[];
}

const ENQUEUE = `
select id, created, conflict
from currant.enqueue(
    $1::text, $2::text::json, queue => $3::text, task_id => $4::text,
    run_at => coalesce($5::timestamptz, currant.now() + $6::bigint * interval '1 ms'), priority => $7::integer,
    timeout => $8::bigint * interval '1 ms', queue_timeout => $9::bigint * interval '1 ms',
    total_timeout => $10::bigint * interval '1 ms', retries => $11::integer, concurrency_key => $12::text, tags => $13::text[],
    trace_context => $14::text::json)`;

/** Starts an execution. */
export function enqueueStatement(name: string, input: unknown, options: EnqueueOptions): Statement {
  refuseUnknown(options, ENQUEUE_OPTIONS, "`enqueue`");
  const length = (value: Duration | undefined, what: string) =>
    value === undefined ? null : milliseconds(value, `\`${what}\``);
  const values = [
    name,
    encode(`the input of \`${name}\``, input),
    options.queue ?? null,
    options.taskId ?? null,
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
  return { text: ENQUEUE, values };
}

/** How it ended, if it has. The values are text: `pg` would parse them before their digits can be kept. */
export const RESULT = "select status, result::text as result, failure::text as failure from currant.result($1::uuid)";

export const STATUS = "select to_jsonb(execution) as execution from currant.status($1::uuid) as execution";

export const SIGNAL = "select currant.signal($1::uuid, $2::text, $3::text::json, $4::text) as sent";

export const CANCEL = "select currant.cancel($1::uuid) as answer";

export const RETRY = "select currant.retry($1::uuid, $2::boolean)";

export const COMPLETE = "select currant.complete($1::text, $2::text::json)";

export const FAIL = "select currant.fail($1::text, $2::text::json)";
