/**
 * Why something did not succeed.
 *
 *     Failure             another attempt may cure it
 *     ├─ NonRetryable     no other attempt can: the execution fails at once
 *     ├─ Cancelled        its cancellation was requested
 *     ├─ TimedOut         a time limit of what was awaited is over
 *     ├─ ChildFailed      a task or workflow that was awaited failed
 *     └─ RateLimited      a task asks for its queue to be slowed down
 *
 * Every other error is a failure, too: its class is the code, its chain of causes the message, its stack the details.
 */

import { type Duration, milliseconds } from "./durations.js";
import { stackOf } from "./stacks.js";

/** A failure as it crosses the border of a function. */
export interface FailureRecord {
  code: string;
  message: string;
  /** JSON text: what a child said is handed on byte for byte. */
  details?: string | undefined;
  retryable: boolean;
  /** In milliseconds. */
  retryAfter?: number | undefined;
}

/** What can be said about a failure besides its code and message. */
export interface FailureOptions {
  /** More about it; anything that JSON can hold. */
  details?: unknown;
  /** Whether another attempt can help; `true` unless said. */
  retryable?: boolean;
  /** The next attempt is made no earlier than this, instead of after the back-off. */
  retryAfter?: Duration;
  /** What caused it. */
  cause?: unknown;
}

/**
 * Why a task, workflow or step did not succeed: stored, shown to people, and handed to the workflow that waits for it.
 *
 *     throw new Failure("card-declined", "the bank said no", { retryable: false });
 */
export class Failure extends Error {
  /** What kind of failure it is, for programs. */
  readonly code: string;
  /** Whether another attempt can help. */
  readonly retryable: boolean;
  /** The earliest time for the next attempt, in milliseconds from the end of this one. */
  readonly retryAfter: number | undefined;
  #details: string | undefined;

  constructor(code: string, message: string, options: FailureOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.retryable = options.retryable ?? true;
    this.retryAfter = options.retryAfter === undefined ? undefined : milliseconds(options.retryAfter, "`retryAfter`");
    this.#details = textOf(options.details);
  }

  /** More about it, if there is. */
  get details(): unknown {
    return this.#details === undefined ? undefined : JSON.parse(this.#details);
  }

  /** What is stored. @internal */
  toRecord(): FailureRecord {
    const { code, message, retryable, retryAfter } = this;
    return { code, message, details: this.#details, retryable, retryAfter };
  }

  /** The same class of failure with what is on record. @internal */
  static of<T extends Failure>(failure: T, record: FailureRecord): T {
    failure.#details = record.details;
    return failure;
  }
}

/** A failure that no other attempt can cure: the execution fails at once, whatever its retry policy says. */
export class NonRetryable extends Failure {
  constructor(code: string, message: string, options: Omit<FailureOptions, "retryable" | "retryAfter"> = {}) {
    super(code, message, { ...options, retryable: false });
  }
}

/**
 * Its cancellation was requested. Thrown by whatever a workflow waits for when somebody cancels it; of a child that was cancelled for
 * other reasons; and to be thrown by a task that stops because it was asked to.
 */
export class Cancelled extends Failure {
  constructor(message = "cancellation was requested") {
    super("cancelled", message, { retryable: false });
  }
}

/** A time limit of the task or workflow that was awaited is over. */
export class TimedOut extends Failure {
  constructor(message = "the time is over", options: FailureOptions = {}) {
    super("timed-out", message, options);
  }
}

/** A task or workflow that was awaited failed. Code, message and details are those of the child. */
export class ChildFailed extends Failure {
  /** The name of the function that failed. */
  readonly function: string;

  constructor(name: string, cause: Failure) {
    super(cause.code, cause.message, { retryable: cause.retryable, cause });
    this.function = name;
  }
}

/**
 * What a task throws when its queue goes too fast for what it calls. The queue pauses for this long and the same attempt is made again; it
 * costs no retry. From a workflow it is an ordinary failure with the code `rate-limited`.
 */
export class RateLimited extends Failure {
  declare readonly retryAfter: number;

  constructor(retryAfter: Duration, message = "called too often") {
    super("rate-limited", message, { retryAfter });
  }
}

/** What is stored of anything that was thrown. */
export function recordOf(thrown: unknown): FailureRecord {
  if (thrown instanceof Failure) return thrown.toRecord();
  // The engine throws this text, and not an error, when it is refused memory.
  if (thrown === "out of memory") {
    return {
      code: "out-of-memory",
      message: "more memory is needed than the worker allows (the setting `memory_limit`)",
      retryable: true,
    };
  }
  if (!(thrown instanceof Error)) {
    return { code: "Error", message: `something that is no error was thrown: ${describe(thrown)}`, retryable: true };
  }
  return { code: codeOf(thrown), message: messageOf(thrown), details: textOf({ stack: stackOf(thrown) }), retryable: true };
}

/** The failure that is on record, as what it was. `child` is the name of the function that ended so. */
export function failureOf(record: FailureRecord, child?: string): Failure {
  const { code, message, retryable } = record;
  if (code === "cancelled") return Failure.of(new Cancelled(message), record);
  const options = { retryable, ...(record.retryAfter === undefined ? {} : { retryAfter: record.retryAfter }) };
  if (code === "timed-out") return Failure.of(new TimedOut(message, options), record);
  const failure = Failure.of(retryable ? new Failure(code, message, options) : new NonRetryable(code, message), record);
  return child === undefined ? failure : Failure.of(new ChildFailed(child, failure), record);
}

/** A class that says nothing but "Error" is known by its constructor's name. */
function codeOf(error: Error): string {
  const name = error.name && error.name !== "Error" ? error.name : (error.constructor?.name ?? "Error");
  return (name || "Error").slice(0, 255);
}

function messageOf(error: Error): string {
  const parts: string[] = [];
  const seen = new Set<unknown>();
  for (let link: unknown = error; link !== undefined && link !== null && !seen.has(link); ) {
    seen.add(link);
    parts.push(link instanceof Error ? link.message : describe(link));
    if (link instanceof AggregateError) parts.push(link.errors.map((inner) => messageOf(asError(inner))).join("; "));
    link = link instanceof Error ? link.cause : undefined;
  }
  return parts.filter((part) => part !== "").join(": ");
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(describe(thrown));
}

function describe(thrown: unknown): string {
  return typeof thrown === "string" ? thrown : (textOf(thrown) ?? String(thrown));
}

/** What cannot be written as JSON is left out: a failure must not fail. */
function textOf(details: unknown): string | undefined {
  try {
    return details === undefined ? undefined : JSON.stringify(details);
  } catch {
    return undefined;
  }
}
