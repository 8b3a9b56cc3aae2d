/**
 * Tells who waits that an execution may have ended: by a notification, which can be lost, and by a poll behind it, which cannot. One connection
 * listens for all who wait; it holds no transaction, and goes back when nobody waits any more.
 */

import type pg from "pg";

/** The channel; its payload is the ids of executions that have ended, between commas. */
const CHANNEL = "currant_ended";

/** How often to look behind the notification. */
export const POLL_MS = 500;

export class Ended {
  readonly #pool: pg.Pool;
  readonly #waiting = new Map<string, Set<() => void>>();
  #listener: pg.PoolClient | undefined;
  #connecting: Promise<void> | undefined;
  #closed = false;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Runs `body` with a function that waits until the execution may have ended, and at most so long. */
  async watch<T>(id: string, body: (news: (atMost: number) => Promise<void>) => Promise<T>): Promise<T> {
    let wake = () => {};
    // News that comes while somebody looks must not be lost.
    let fresh = false;
    const tell = () => {
      fresh = true;
      wake();
    };
    const waiting = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiting.add(tell));
    try {
      await this.#listen();
      return await body(async (atMost) => {
        if (!fresh && !this.#closed) {
          await new Promise<void>((resolve) => {
            const timer = setTimeout(resolve, Math.min(atMost, POLL_MS));
            wake = () => {
              clearTimeout(timer);
              resolve();
            };
          });
        }
        fresh = false;
      });
    } finally {
      waiting.delete(tell);
      if (waiting.size === 0) this.#waiting.delete(id);
      if (this.#waiting.size === 0) await this.#hangUp();
    }
  }

  /** Wakes everybody. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const waiting of this.#waiting.values()) for (const tell of waiting) tell();
    await this.#hangUp();
  }

  /** Without a listener there is the poll: a connection that cannot be had is no error of who waits. */
  async #listen(): Promise<void> {
    if (this.#listener !== undefined || this.#closed) return;
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined;
    });
    await this.#connecting;
  }

  async #connect(): Promise<void> {
    const connection = await this.#pool.connect().catch(() => undefined);
    if (connection === undefined) return;
    const lost = () => {
      if (this.#listener === connection) this.#listener = undefined;
    };
    connection.on("error", lost);
    connection.on("end", lost);
    connection.on("notification", ({ channel, payload }) => {
      if (channel !== CHANNEL || payload === undefined) return;
      for (const id of payload.split(",")) for (const tell of this.#waiting.get(id) ?? []) tell();
    });
    try {
      await connection.query(`listen ${CHANNEL}`);
      this.#listener = connection;
    } catch {
      connection.release(true);
    }
  }

  async #hangUp(): Promise<void> {
    await this.#connecting;
    if (this.#waiting.size > 0 && !this.#closed) return;
    const connection = this.#listener;
    this.#listener = undefined;
    // It listens: nobody else should have it.
    connection?.release(true);
  }
}
