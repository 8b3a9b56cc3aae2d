/**
 * Runs a worker from a program: a thin launcher of `currant-host worker`, which claims and runs executions of every language.
 *
 *     const worker = new Worker({ databaseUrl, slots: 64, queues: ["default", "payments"] });
 *     await worker.start();
 *     process.on("SIGTERM", () => worker.stop());
 */

import { type ChildProcess, spawn } from "node:child_process";

import { findProgram, notInstalled } from "./binaries.js";
import { type Duration, milliseconds } from "./durations.js";
import { type Names, refuseUnknown } from "./options.js";

/** Settings of a worker. What is not said comes from the environment, `currant.toml` or the defaults: see docs/configuration.md. */
export interface WorkerOptions {
  /** Where the database is. */
  databaseUrl?: string;
  /** How many executions it runs at once. */
  slots?: number;
  /** The queues to serve; every queue if none are named. */
  queues?: string[];
  /** How long what it claimed stays its own when it is not heard of any more. */
  lease?: Duration;
  /** How often it looks for work when no notification arrives. */
  pollInterval?: Duration;
  /** How long it waits, once it was asked to stop, for what it runs. */
  shutdownGrace?: Duration;
  /** How long a cancelled task may take to stop by itself. */
  cancelGrace?: Duration;
  /** How long a cancelled workflow may take to undo what it did. */
  compensationGrace?: Duration;
  /** How much memory one execution may use, for example `"256MiB"`. */
  memoryLimit?: string;
  /** How long an attempt may take that has no timeout of its own, and a workflow may hold a slot. */
  timeLimit?: Duration;
  /** How long an attempt of a task, or a step, may compute. */
  cpuLimit?: Duration;
  /** How long a workflow may compute without waiting. */
  workflowCpuLimit?: Duration;
  /** How much an attempt may write to stdout, stderr and the log, for example `"32MiB"`. */
  outputLimit?: string;
  /** How much of its log lines is kept, for example `"1MiB"`. */
  logLimit?: string;
  /** How many operations a workflow may start before it continues as new. */
  operationsLimit?: number;
  /** How many entries the journal of a workflow may have. */
  journalLengthLimit?: number;
  /** How many bytes the journal of a workflow may have, for example `"64MiB"`. */
  journalBytesLimit?: string;
  /** How many workflows that wait it keeps in memory; 0 for none. */
  residentCount?: number;
  /** Beyond how much memory of the whole worker it drops waiting workflows, for example `"1GiB"`. */
  residentMemory?: string;
  /** How long a waiting workflow stays in memory. */
  residentTime?: Duration;
  /** A PEM file of certificate authorities that HTTPS requests of modules rely on, besides the public ones. */
  caFile?: string;
  /** A level, or levels by module: `"info"`. */
  log?: string;
  /** More variables of its environment. */
  env?: Readonly<Record<string, string>>;
  /** Where its log goes: to this program's stderr unless said. */
  stderr?: "inherit" | "ignore";
}

const WORKER_OPTIONS: Names<WorkerOptions> = {
  ...{ databaseUrl: true, slots: true, queues: true, lease: true, pollInterval: true, shutdownGrace: true, cancelGrace: true },
  ...{ compensationGrace: true, memoryLimit: true, timeLimit: true, cpuLimit: true, workflowCpuLimit: true, outputLimit: true },
  ...{ logLimit: true, operationsLimit: true, journalLengthLimit: true, journalBytesLimit: true },
  ...{ residentCount: true, residentMemory: true, residentTime: true, caFile: true, log: true, env: true, stderr: true },
};

/** A worker process. */
export class Worker {
  readonly #options: WorkerOptions;
  #process: ChildProcess | undefined;
  #ended: Promise<number> | undefined;

  constructor(options: WorkerOptions = {}) {
    this.#options = options;
    // What is wrong should be said here, and not by the process.
    environmentOf(options);
  }

  /** Starts the process. Throws if the program is not installed. */
  async start(): Promise<void> {
    if (this.#process) throw new Error("the worker was started before");
    const env = { ...process.env, ...environmentOf(this.#options), ...this.#options.env };
    const program = findProgram("currant-host", env);
    if (program === undefined) throw new Error(notInstalled("currant-host", env));
    const child = spawn(program, ["worker"], {
      env,
      stdio: ["ignore", "ignore", this.#options.stderr ?? "inherit"],
    });
    this.#process = child;
    this.#ended = new Promise((resolve) => child.once("exit", (status, signal) => resolve(status ?? (signal ? 1 : 0))));
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", reject);
    });
  }

  /** Its process id, while it runs. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Asks it to finish what it runs, and waits for its end. Answers its exit status. */
  async stop(): Promise<number> {
    this.#process?.kill("SIGTERM");
    return this.ended();
  }

  /** Waits until the process has ended, and answers its exit status. */
  async ended(): Promise<number> {
    if (this.#ended === undefined) throw new Error("the worker was not started");
    return this.#ended;
  }
}

/** The settings as the variables that the program reads. */
export function environmentOf(options: WorkerOptions): Record<string, string> {
  refuseUnknown(options, WORKER_OPTIONS, "`Worker`");
  const length = (value: Duration | undefined, what: string) =>
    value === undefined ? undefined : `${milliseconds(value, `\`${what}\``)}ms`;
  if (options.slots !== undefined && !(Number.isInteger(options.slots) && options.slots > 0)) {
    throw new RangeError(`\`slots\` is a whole number from 1, not ${options.slots}`);
  }
  const settings: Record<string, string | undefined> = {
    CURRANT_DATABASE_URL: options.databaseUrl,
    CURRANT_WORKER_SLOTS: options.slots?.toString(),
    CURRANT_WORKER_QUEUES: options.queues?.join(","),
    CURRANT_WORKER_LEASE: length(options.lease, "lease"),
    CURRANT_WORKER_POLL_INTERVAL: length(options.pollInterval, "pollInterval"),
    CURRANT_WORKER_SHUTDOWN_GRACE: length(options.shutdownGrace, "shutdownGrace"),
    CURRANT_WORKER_CANCEL_GRACE: length(options.cancelGrace, "cancelGrace"),
    CURRANT_WORKER_COMPENSATION_GRACE: length(options.compensationGrace, "compensationGrace"),
    CURRANT_WORKER_MEMORY_LIMIT: options.memoryLimit,
    CURRANT_WORKER_TIME_LIMIT: length(options.timeLimit, "timeLimit"),
    CURRANT_WORKER_CPU_LIMIT: length(options.cpuLimit, "cpuLimit"),
    CURRANT_WORKER_WORKFLOW_CPU_LIMIT: length(options.workflowCpuLimit, "workflowCpuLimit"),
    CURRANT_WORKER_OUTPUT_LIMIT: options.outputLimit,
    CURRANT_WORKER_LOG_LIMIT: options.logLimit,
    CURRANT_WORKER_OPERATIONS_LIMIT: options.operationsLimit?.toString(),
    CURRANT_WORKER_JOURNAL_LENGTH_LIMIT: options.journalLengthLimit?.toString(),
    CURRANT_WORKER_JOURNAL_BYTES_LIMIT: options.journalBytesLimit,
    CURRANT_WORKER_RESIDENT_COUNT: options.residentCount?.toString(),
    CURRANT_WORKER_RESIDENT_MEMORY: options.residentMemory,
    CURRANT_WORKER_RESIDENT_TIME: length(options.residentTime, "residentTime"),
    CURRANT_WORKER_CA_FILE: options.caFile,
    CURRANT_LOG: options.log,
  };
  const said = Object.entries(settings).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.fromEntries(said);
}
