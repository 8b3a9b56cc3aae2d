/** Logs, spans and metrics. Silent while a workflow is replayed. In tests log lines go to stderr and the rest nowhere. */

import type { TraceContext } from "./context.js";
import { type SpanHandle, surroundings } from "./host.js";

/** How much a log line matters. */
export type Level = "trace" | "debug" | "info" | "warn" | "error";

/** What kind of metric it is. */
export type MetricKind = "counter" | "histogram" | "gauge";

/** Names and values that can be searched for, or by which a metric is told apart. Anything that JSON can hold. */
export type Attributes = Readonly<Record<string, unknown>>;

const line =
  (level: Level) =>
  (message: string, attributes: Attributes = {}) =>
    surroundings().log(level, message, attributes);

/** Log lines of this execution: shown by `currant logs`. `console.log` is kept as well, without attributes. */
export const log = {
  trace: line("trace"),
  debug: line("debug"),
  info: line("info"),
  warn: line("warn"),
  error: line("error"),
};

const measure = (kind: MetricKind, name: string, value: number, attributes: Attributes) => {
  if (Number.isNaN(value)) throw new RangeError(`the value of the metric \`${name}\` is not a number`);
  surroundings().measure(kind, name, value, attributes);
};

/** Metrics of this function. */
export const metrics = {
  /** Adds to a counter. */
  increment(name: string, by = 1, attributes: Attributes = {}): void {
    if (by < 0) throw new RangeError(`the counter \`${name}\` can only grow, not by ${by}`);
    measure("counter", name, by, attributes);
  },
  /** Records one value of a distribution. */
  histogram(name: string, value: number, attributes: Attributes = {}): void {
    measure("histogram", name, value, attributes);
  },
  /** Sets the current value of something. */
  gauge(name: string, value: number, attributes: Attributes = {}): void {
    measure("gauge", name, value, attributes);
  },
};

/** A stretch of time in a trace. */
export interface Span {
  /** Adds an attribute, or replaces the one of that name. */
  set(name: string, value: unknown): void;
  /** Marks it as failed. */
  fail(message: string): void;
}

/** This execution's place in its trace. */
export const trace = {
  /** The ids that travel with it. */
  context(): TraceContext {
    return surroundings().trace();
  },
  /**
   * Runs a function inside a span, which ends with it. An error marks the span as failed, and goes on.
   *
   *     const page = await trace.span("fetch page", { url }, () => fetch(url));
   */
  span,
};

function span<T>(name: string, body: (span: Span) => T): T;
function span<T>(name: string, attributes: Attributes, body: (span: Span) => T): T;
function span<T>(name: string, ...rest: [(span: Span) => T] | [Attributes, (span: Span) => T]): T {
  const [attributes, body] = rest.length === 1 ? [{}, rest[0]] : rest;
  const handle = surroundings().span(name, attributes);
  const failed = (error: unknown): never => {
    handle.fail(error instanceof Error ? error.message : String(error));
    handle.end();
    throw error;
  };
  let result: T;
  try {
    result = body(handle);
  } catch (error) {
    return failed(error);
  }
  return ends(result, handle, failed);
}

function ends<T>(result: T, handle: SpanHandle, failed: (error: unknown) => never): T {
  if (result instanceof Promise) {
    const ended = result.then((value) => {
      handle.end();
      return value;
    }, failed);
    return ended as T;
  }
  handle.end();
  return result;
}
