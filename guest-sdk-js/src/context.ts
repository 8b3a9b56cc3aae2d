/** Which execution this is. */

import { currentRun, surroundings } from "./host.js";

/** The facts about an execution that stay the same during an attempt. In a workflow all of them are the same on every replay. */
export interface Execution {
  /** A UUID. Stable over attempts: use it as the idempotency key of calls to the outside world. */
  readonly id: string;
  /** The key under which the caller asked for it, if any. */
  readonly taskId: string | undefined;
  /** The function's name. */
  readonly function: string;
  /** The queue that it came through. */
  readonly queue: string;
  /** 1 for the first attempt. Always 1 in a workflow. */
  readonly attempt: number;
  /** The id of the workflow that started it, if any. */
  readonly parent: string | undefined;
  /** SHA-256 of the component, in hexadecimal. */
  readonly module: string;
  /** When the attempt must have ended, if it has a limit. None in a workflow. */
  readonly deadline: Date | undefined;
}

/** Where an execution stands in a distributed trace (W3C Trace Context and Baggage). */
export interface TraceContext {
  /** 32 hexadecimal digits, shared by a workflow and everything that it starts. */
  readonly traceId: string;
  /** 16 hexadecimal digits: the span of this execution. */
  readonly spanId: string;
  /** Key and value pairs that travel with the trace, such as a tenant. */
  readonly baggage: ReadonlyArray<readonly [string, string]>;
}

/** This execution. In a test: the one that the test kit made up. */
export function context(): Execution {
  return surroundings().execution();
}

/**
 * Whether the cancellation of this task or workflow was requested. A task should then stop soon and throw `Cancelled`. In a workflow it tells
 * whether a `Cancelled` was meant for the workflow itself or is that of a child.
 */
export function isCancelled(): boolean {
  return currentRun()?.cancelled ?? surroundings().isCancelled();
}
