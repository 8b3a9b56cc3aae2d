/**
 * Starts and follows executions from any Node program, by the SQL functions of Currant's schema.
 *
 *     const currant = new Client("postgres://localhost/shop");
 *     const order = await currant.enqueue("checkout", { order: 42 }, { taskId: "order-42" });
 *     const receipt = await order.result({ timeout: "1m" });
 *
 * In a transaction of yours, on your own connection: it starts if, and only if, the transaction commits.
 *
 *     await connection.query("begin");
 *     await connection.query("insert into orders …");
 *     await enqueue(connection, "checkout", { order: 42 });
 *     await connection.query("commit");
 */

import pg from "pg";

import { Ended } from "./client/ended.js";
import { Handle } from "./client/handle.js";
import {
  COMPLETE,
  configureStatement,
  type EnqueueManyOptions,
  type EnqueueOptions,
  enqueueManyStatement,
  enqueueStatement,
  FAIL,
  type QueueSettings,
  resetStatement,
  type Statement,
} from "./client/statements.js";
import type { Failure } from "./failures.js";
import { type AnyFunction, definitionOf, nameOf } from "./functions.js";
import { encode } from "./values.js";

export { type Handle, NotEnded, type ResultOptions, type RetryFrom, type SignalOptions, type Status } from "./client/handle.js";
export type { EnqueueManyOptions, EnqueueOptions, QueueSettings } from "./client/statements.js";
export type { Duration } from "./durations.js";
export { Cancelled, Failure, NonRetryable, TimedOut } from "./failures.js";

/** What can run a statement: a client or pool of `pg`, or something with the same method. */
export interface Queryable {
  query(text: string, values: unknown[]): Promise<{ rows: Record<string, unknown>[] }>;
}

/** A pool of connections of `pg`. */
export interface Pool extends Queryable {
  connect(): Promise<unknown>;
}

/** A client of one database. Close it when it is no longer needed. */
export class Client {
  readonly #pool: pg.Pool;
  readonly #own: boolean;
  readonly #ended: Ended;

  /** The URL of the database, or a pool of connections of yours, which stays yours. */
  constructor(database: string | Pool) {
    this.#own = typeof database === "string";
    this.#pool = typeof database === "string" ? new pg.Pool({ connectionString: database }) : (database as pg.Pool);
    // A connection that breaks while it is idle is replaced by the pool; nobody waits for it.
    if (this.#own) this.#pool.on("error", () => {});
    this.#ended = new Ended(this.#pool);
  }

  /**
   * Starts an execution of a function, named or imported from the module's file. With a `taskId` that an open or completed execution has, no other
   * is started: the handle is of that one, and says so by `created` and `conflict`.
   */
  async enqueue<Args extends unknown[], Result>(
    target: AnyFunction<Args, Result> | string,
    input?: unknown,
    options: EnqueueOptions = {},
  ): Promise<Handle<Result>> {
    return this.#handle(await started(this.#pool, target, input, options));
  }

  /** Starts one for each input, in one transaction and in their order. */
  async enqueueMany<Args extends unknown[], Result>(
    target: AnyFunction<Args, Result> | string,
    inputs: unknown[],
    options: EnqueueManyOptions = {},
  ): Promise<Handle<Result>[]> {
    const ids = await startedMany(this.#pool, target, inputs, options);
    return ids.map((id) => this.#handle({ id, created: true, conflict: false }));
  }

  /** Creates a queue, or changes those of its settings that are named: they hold at once, in every worker, until they are reset. */
  async configureQueue(name: string, settings: QueueSettings): Promise<void> {
    await this.#run(configureStatement(name, settings));
  }

  /** Takes back what was set by command, all of it if nothing is named: what the workers' files say holds again, or the default. */
  async resetQueue(name: string, ...settings: (keyof QueueSettings)[]): Promise<void> {
    await this.#run(resetStatement(name, settings));
  }

  /** Starts nothing new from this queue. What runs goes on, and workflows that began are woken. */
  async pauseQueue(name: string): Promise<void> {
    await this.configureQueue(name, { paused: true });
  }

  /** Ends a pause. */
  async resumeQueue(name: string): Promise<void> {
    await this.configureQueue(name, { paused: false });
  }

  /** The execution with this id. */
  handle<Result = unknown>(id: string): Handle<Result> {
    return this.#handle({ id, created: false, conflict: false });
  }

  /** Completes the external operation of a workflow that the token was made for. */
  async complete(token: string, result?: unknown): Promise<void> {
    await this.#pool.query(COMPLETE, [token, encode("the result", result)]);
  }

  /** Fails the external operation of a workflow that the token was made for. */
  async fail(token: string, failure: Failure): Promise<void> {
    const { code, message, details } = failure;
    await this.#pool.query(FAIL, [token, encode("the failure", { code, message, details })]);
  }

  /** Ends its connections, and every wait for a result. */
  async close(): Promise<void> {
    await this.#ended.close();
    if (this.#own) await this.#pool.end();
  }

  async #run({ text, values }: Statement): Promise<void> {
    await this.#pool.query(text, values);
  }

  #handle<Result>({ id, created, conflict }: Started): Handle<Result> {
    return new Handle<Result>(this.#pool, this.#ended, id, created, conflict);
  }
}

/** What became of an `enqueue`. */
export interface Started {
  readonly id: string;
  /** Whether it was started now; false if the `taskId` stood for another one. */
  readonly created: boolean;
  /** Whether that other one has another function or input. */
  readonly conflict: boolean;
}

/** Starts an execution on a connection of yours, and in its transaction if one is open. */
export async function enqueue<Args extends unknown[], Result>(
  connection: Queryable,
  target: AnyFunction<Args, Result> | string,
  input?: unknown,
  options: EnqueueOptions = {},
): Promise<Started> {
  return started(connection, target, input, options);
}

/** The same of many. Answers their ids, in the order of the inputs. */
export async function enqueueMany<Args extends unknown[], Result>(
  connection: Queryable,
  target: AnyFunction<Args, Result> | string,
  inputs: unknown[],
  options: EnqueueManyOptions = {},
): Promise<string[]> {
  return startedMany(connection, target, inputs, options);
}

function named(target: unknown): string {
  const definition = definitionOf(target);
  return definition ? nameOf(definition) : String(target);
}

async function startedMany(
  connection: Queryable,
  target: unknown,
  inputs: unknown[],
  options: EnqueueManyOptions,
): Promise<string[]> {
  const { text, values } = enqueueManyStatement(named(target), inputs, options);
  return (await connection.query(text, values)).rows.map((row) => String(row.id));
}

async function started(connection: Queryable, target: unknown, input: unknown, options: EnqueueOptions): Promise<Started> {
  const { text, values } = enqueueStatement(named(target), input, options);
  const [row] = (await connection.query(text, values)).rows;
  return { id: String(row?.id), created: row?.created === true, conflict: row?.conflict === true };
}
