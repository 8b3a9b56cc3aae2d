/** How tasks end. */

import {
  context as current,
  Failure,
  heartbeat,
  Json,
  lastProgress,
  log,
  metrics,
  NonRetryable,
  RateLimited,
  task,
  trace,
} from "currant";

/** Answers its input, byte for byte. */
export const echo = task({ queue: "echo", input: Json, result: Json }, async (value: Json) => value);

/** What `fail` fails with. */
export interface Fault {
  code: string;
  message?: string;
  details?: unknown;
  retryable?: boolean;
  retry_after_ms?: number;
}

export function fault(value: unknown): Fault {
  if (typeof value !== "object" || value === null) throw new TypeError("an object was expected");
  if (!("code" in value) || typeof value.code !== "string") throw new TypeError("code: a text was expected");
  return value as Fault;
}

export function failureOf({ code, message = "", details, retryable = false, retry_after_ms: after }: Fault): Failure {
  if (!retryable) return new NonRetryable(code, message, { details: details ?? undefined });
  return new Failure(code, message, { details: details ?? undefined, ...(after === undefined ? {} : { retryAfter: after }) });
}

/** Fails, at every attempt. */
export const fail = task({ retries: 2, backoff: "10ms", input: fault }, async (what): Promise<null> => {
  throw failureOf(what);
});

/** Fails until this attempt, which answers its number. */
export const failUntilAttempt = task({ retries: 10, backoff: "10ms", maxBackoff: "50ms" }, async (attempt: number) => {
  const now = current().attempt;
  if (now < attempt) throw new Failure("not-yet", `attempt ${now} of ${attempt}`);
  return now;
});

/** Fails at its first attempt, and says when it wants the second, which answers its number. */
export const retryLater = task({ retries: 1, backoff: "1h" }, async (afterMs: number) => {
  const now = current().attempt;
  if (now === 1) throw new Failure("later", "not now", { retryAfter: afterMs });
  return now;
});

class OutOfStock extends Error {}

/** Fails with an error of the language, whose cause is one of the author's. */
export const failByError = task({ retries: 0 }, async (text: string): Promise<number> => {
  try {
    return JSON.parse(text) as number;
  } catch (error) {
    throw new OutOfStock("no number on the shelf", { cause: error });
  }
});

/** Finds once that its queue goes too fast. A pause costs no attempt, so it looks at its own heartbeat. */
export const rateLimitedOnce = task({ queue: "limited" }, async (afterMs: number) => {
  if (lastProgress() !== undefined) return "done";
  heartbeat(true);
  throw new RateLimited(afterMs);
});

/** Answers its context. */
export const context = task({ timeout: "1m" }, async () => {
  const [now, { traceId, spanId, baggage }] = [current(), trace.context()];
  return {
    id: now.id,
    task_id: now.taskId ?? null,
    function: now.function,
    queue: now.queue,
    attempt: now.attempt,
    parent: now.parent ?? null,
    module: now.module,
    deadline_ms: now.deadline?.getTime() ?? null,
    trace_id: traceId,
    span_id: spanId,
    baggage,
  };
});

/** Answers a text of this many bytes. */
export const bigResult = task(async (bytes: number) => "x".repeat(bytes));

/** Answers nothing, after having said everything that telemetry can say. */
export const telemetry = task(async (lines: number) => {
  await trace.span("counting", { lines }, async (span) => {
    for (let line = 0; line < lines; line++) log.info(`line ${line}`, { number: line });
    log.debug("fine");
    log.warn("odd", { reason: "a test" });
    log.error("wrong");
    metrics.increment("lines", lines, { kind: "test" });
    metrics.histogram("lines.length", 6);
    metrics.gauge("lines.left", 0);
    span.set("done", true);
    span.fail("only to see it");
  });
  return null;
});
