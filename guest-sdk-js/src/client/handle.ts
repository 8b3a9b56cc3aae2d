/** An execution, as whoever started it sees it. */

import type { Queryable } from "../client.js";
import { type Duration, milliseconds } from "../durations.js";
import { type FailureRecord, failureOf } from "../failures.js";
import { encode } from "../values.js";
import { type Ended, POLL_MS } from "./ended.js";
import { CANCEL, RESULT, RETRY, SIGNAL, STATUS } from "./statements.js";

/** How long to wait. */
export interface ResultOptions {
  /** Then `NotEnded` is thrown; for ever unless said. */
  timeout?: Duration;
}

/** What can be said about a signal. */
export interface SignalOptions {
  /** A signal with an id that was sent before is not sent again. */
  dedupId?: string;
}

/** Where a retry goes on. */
export interface RetryFrom {
  /** A workflow begins again with an empty journal, on the module that is deployed now, instead of going on where it was. */
  fromStart?: boolean;
}

/** A row of the view `currant.executions`. */
export interface Status {
  readonly id: string;
  readonly status: "pending" | "running" | "suspended" | "completed" | "failed" | "cancelled" | "timed_out";
  readonly function: string;
  readonly queue: string;
  readonly progress: unknown;
  readonly [column: string]: unknown;
}

/** The time to wait is over, and the execution goes on. */
export class NotEnded extends Error {
  override readonly name = "NotEnded";
  /** The execution. */
  readonly id: string;

  constructor(id: string, waited: string) {
    super(`execution ${id} has not ended ${waited}; it goes on`);
    this.id = id;
  }
}

/** An execution. */
export class Handle<Result> {
  /** A UUID. */
  readonly id: string;
  /** Whether it was started by this call; false if its `taskId` stood for another one. */
  readonly created: boolean;
  /** Whether that other one has another function or input. */
  readonly conflict: boolean;
  readonly #database: Queryable;
  readonly #ended: Ended;

  /** @internal */
  constructor(database: Queryable, ended: Ended, id: string, created: boolean, conflict: boolean) {
    this.#database = database;
    this.#ended = ended;
    this.id = id;
    this.created = created;
    this.conflict = conflict;
  }

  /** Waits for its end. Throws a `Failure` if it failed, `Cancelled`, or `TimedOut`. No transaction is open meanwhile. */
  async result({ timeout }: ResultOptions = {}): Promise<Result> {
    const limit = timeout === undefined ? Number.POSITIVE_INFINITY : milliseconds(timeout, "`timeout`");
    const deadline = performance.now() + limit;
    return this.#ended.watch(this.id, async (news) => {
      for (;;) {
        if (this.#ended.closed) throw new NotEnded(this.id, "before the client was closed");
        const [row] = (await this.#database.query(RESULT, [this.id])).rows;
        if (row === undefined) throw new Error(`there is no execution ${this.id}`);
        if (row.status === "completed") return JSON.parse(String(row.result)) as Result;
        if (typeof row.failure === "string") throw failureOf(recordOf(row.failure));
        const left = deadline - performance.now();
        if (left <= 0) throw new NotEnded(this.id, `within ${limit} ms`);
        await news(Math.min(left, POLL_MS));
      }
    });
  }

  /** The execution as it is now. */
  async status(): Promise<Status> {
    const [row] = (await this.#database.query(STATUS, [this.id])).rows;
    const execution = row?.execution as Status | null | undefined;
    if (!execution?.id) throw new Error(`there is no execution ${this.id}`);
    return execution;
  }

  /**
   * Cancels it and its children: `cancelled` if it has ended by that, `requested` if it is asked to stop, otherwise the status in which it had ended.
   * A workflow that was asked before is ended at once, and undoes nothing more.
   */
  async cancel(): Promise<string> {
    const [row] = (await this.#database.query(CANCEL, [this.id])).rows;
    return String(row?.answer);
  }

  /** Sends a signal to a workflow; kept until it is received. False if one with this `dedupId` was sent before. */
  async signal(name: string, payload?: unknown, { dedupId }: SignalOptions = {}): Promise<boolean> {
    const text = encode(`the payload of the signal \`${name}\``, payload);
    const [row] = (await this.#database.query(SIGNAL, [this.id, name, text, dedupId ?? null])).rows;
    return row?.sent === true;
  }

  /** Has one that failed, was cancelled or timed out tried again. */
  async retry({ fromStart = false }: RetryFrom = {}): Promise<void> {
    await this.#database.query(RETRY, [this.id, fromStart]);
  }
}

/** As it is stored: details are a value there, and text in a record. */
function recordOf(text: string): FailureRecord {
  const { code, message, details, retryable } = JSON.parse(text);
  return {
    code,
    message,
    retryable: retryable === true,
    details: details === undefined || details === null ? undefined : JSON.stringify(details),
  };
}
