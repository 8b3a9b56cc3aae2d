/**
 * The end-to-end harness: a fresh database, real worker processes, the real command line, and conditions instead of sleeps.
 *
 *     const stack = await Stack.start();      a migrated database of its own
 *     stack.worker()                          a `currant-host worker` process
 *     await stack.deploy(behaviours())        through `currant deploy`, as a user would
 *     await stack.run("echo", 1)              through the client, as an application would
 */

import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { build } from "currant/build";
import { Client, type EnqueueOptions, type Failure, type Handle } from "currant/client";
import pg from "pg";

import { findProgram } from "../../src/binaries.js";
import { type Server, startPostgres } from "./postgres.js";

/** How long a condition may take. Generous: one that never comes true is a failure anyway. */
export const PATIENCE = 90_000;

/** The folder of this package. */
export const PACKAGE = fileURLToPath(new URL("../../../", import.meta.url));

/** The component with all behaviours, built once for the same sources. */
export async function behaviours(): Promise<string> {
  const { output } = await build({
    app: join(PACKAGE, "test/behaviours"),
    name: "behaviours-js",
    output: join(PACKAGE, "build/behaviours.wasm"),
  });
  return output;
}

/** How an execution ended: its result, or the failure. */
export type Outcome = { readonly result: unknown; readonly failure?: undefined } | { readonly failure: Failure };

/** A program of this repository, or one that is installed. */
export function program(name: "currant" | "currant-host"): string {
  const built = join(PACKAGE, "../target/debug", name);
  const found = findProgram(name) ?? (existsSync(built) ? built : undefined);
  if (found === undefined) throw new Error(`${name} is not there: cargo build --workspace, or set CURRANT_HOME`);
  return found;
}

/** A database, and what runs on it. */
export class Stack {
  readonly url: string;
  readonly client: Client;
  readonly database: pg.Pool;
  readonly folder = mkdtempSync(join(tmpdir(), "currant-js-"));
  readonly #server: Server;
  readonly #workers = new Set<WorkerProcess>();

  private constructor(server: Server, url: string) {
    this.#server = server;
    this.url = url;
    this.client = new Client(url);
    this.database = new pg.Pool({ connectionString: url });
  }

  /** A fresh, migrated database and nothing else. */
  static async start(): Promise<Stack> {
    const server = startPostgres();
    const name = `currant_${randomUUID().replaceAll("-", "")}`;
    const admin = new pg.Client({ connectionString: server.url });
    await admin.connect();
    await admin.query(`create database ${name}`);
    await admin.end();
    const url = new URL(server.url);
    url.pathname = `/${name}`;
    const stack = new Stack(server, url.href);
    await promisify(execFile)(program("currant-host"), ["migrate", "up"], { env: stack.env() });
    return stack;
  }

  /** A database on which a worker runs and the component with all behaviours is deployed. */
  static async withBehaviours(...options: string[]): Promise<Stack> {
    const component = await behaviours();
    const stack = await Stack.start();
    stack.worker();
    await stack.deploy(component, ...options);
    return stack;
  }

  /** What the programs are told. Compiled modules are shared by all tests, those in Rust and Python too. */
  env(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      CURRANT_DATABASE_URL: this.url,
      XDG_CACHE_HOME: join(PACKAGE, "../target/test-cache"),
      // An authority for HTTPS that nobody else knows.
      CURRANT_WORKER_CA_FILE: join(PACKAGE, "../tests/tls/authority.pem"),
      NO_COLOR: "1",
      RUST_BACKTRACE: "0",
    };
  }

  /** Starts a worker with short intervals. */
  worker(...options: string[]): WorkerProcess {
    const log = join(this.folder, `worker-${randomUUID()}.log`);
    const child = spawn(program("currant-host"), ["worker", "--lease", "3s", ...options], {
      env: this.env(),
      cwd: this.folder,
      stdio: ["ignore", "ignore", openSync(log, "w")],
    });
    const worker = new WorkerProcess(child, log);
    this.#workers.add(worker);
    return worker;
  }

  /** Runs `currant` to its end, and expects success; answers what it printed. */
  async currant(...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(program("currant"), args, { env: this.env(), cwd: this.folder });
    return stdout;
  }

  /** Deploys a component. */
  async deploy(component: string, ...options: string[]): Promise<void> {
    await this.currant("deploy", component, "--timeout", "120s", ...options);
  }

  /** Starts an execution. */
  start<T = unknown>(name: string, input?: unknown, options?: EnqueueOptions): Promise<Handle<T>> {
    return this.client.enqueue<unknown[], T>(name, input, options);
  }

  /** Starts an execution and waits for its end. */
  async run(name: string, input?: unknown): Promise<Outcome> {
    return ended(await this.start(name, input));
  }

  /** Starts an execution, and expects that it completes. */
  async result<T = unknown>(name: string, input?: unknown): Promise<T> {
    return (await this.start<T>(name, input)).result({ timeout: PATIENCE });
  }

  /** Starts an execution, and expects that it fails. */
  async failure(name: string, input?: unknown): Promise<Failure> {
    const { failure } = await this.run(name, input);
    return failure ?? assert.fail(`${name} completed`);
  }

  /** Waits until a query answers true; `$1` is the execution. */
  async until({ id }: { id: string }, condition: string): Promise<void> {
    const deadline = performance.now() + PATIENCE;
    for (;;) {
      const { rows } = await this.database.query({ text: condition, values: [id], rowMode: "array" });
      if (rows[0]?.[0] === true) return;
      assert.ok(performance.now() < deadline, `after ${PATIENCE} ms it does not hold: ${condition}`);
      await new Promise((done) => setTimeout(done, 10));
    }
  }

  /** Waits until an execution has this status. */
  async untilStatus(execution: { id: string }, status: string): Promise<void> {
    await this.until(execution, `select currant.status_of($1) = '${status}'`);
  }

  /** The first column of a query's rows; `$1` is the execution. */
  async column<T>({ id }: { id: string }, query: string): Promise<T[]> {
    const { rows } = await this.database.query({ text: query, values: [id], rowMode: "array" });
    return rows.map((row: T[]) => row[0] as T);
  }

  /** The kinds of a workflow's journal entries, in order. */
  journal(execution: { id: string }): Promise<string[]> {
    return this.column(execution, "select kind from currant.journal where workflow_id = $1 order by chain, position");
  }

  /** Kills all workers. */
  async killWorkers(): Promise<void> {
    for (const worker of this.#workers) await worker.kill();
    this.#workers.clear();
  }

  /** Ends everything. */
  async stop(): Promise<void> {
    await this.client.close();
    await this.killWorkers();
    await this.database.end();
    this.#server.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** How it ended. */
export async function ended(execution: Handle<unknown>): Promise<Outcome> {
  try {
    return { result: await execution.result({ timeout: PATIENCE }) };
  } catch (error) {
    if (error instanceof Error && "code" in error && "retryable" in error) return { failure: error as Failure };
    throw error;
  }
}

/** A worker process. */
export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #log: string;
  readonly #ended: Promise<unknown>;

  constructor(child: ChildProcess, log: string) {
    this.#child = child;
    this.#log = log;
    this.#ended = new Promise((resolve) => child.once("exit", resolve));
  }

  /** Its process id. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** SIGKILL: nothing is said, nothing is cleaned up. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  /** What it logged so far. */
  log(): string {
    return readFileSync(this.#log, "utf8");
  }
}
