// What the component imports: the interfaces of ../wit as componentize-js passes them. A test compares the two.

declare module "currant:guest/types@0.1.0" {
  export interface Failure {
    code: string;
    message: string;
    details?: string | undefined;
    retryable: boolean;
    retryAfter?: bigint | undefined;
  }
  export type Outcome = { tag: "completed"; val: string } | { tag: "failed"; val: Failure };
  export interface RetryPolicy {
    retries: number;
    backoff: bigint;
    multiplier: number;
    maxBackoff: bigint;
  }
  export interface Timeouts {
    queue?: bigint | undefined;
    attempt?: bigint | undefined;
    heartbeat?: bigint | undefined;
    total?: bigint | undefined;
  }
}

declare module "currant:guest/context@0.1.0" {
  export interface Execution {
    id: string;
    taskId?: string | undefined;
    function: string;
    queue: string;
    attempt: number;
    parent?: string | undefined;
    module: string;
    deadline?: bigint | undefined;
  }
  export interface TraceContext {
    traceId: string;
    spanId: string;
    baggage: Array<[string, string]>;
  }
  export function current(): Execution;
  export function trace(): TraceContext;
  export function isCancelled(): boolean;
}

declare module "currant:guest/workflow@0.1.0" {
  import type { Outcome, RetryPolicy, Timeouts } from "currant:guest/types@0.1.0";

  export interface StartOptions {
    queue?: string | undefined;
    priority?: number | undefined;
    delay?: bigint | undefined;
    retry?: RetryPolicy | undefined;
    timeouts: Timeouts;
    taskId?: string | undefined;
    concurrencyKey?: string | undefined;
    tags: string[];
  }
  export interface Completion {
    operation: number;
    outcome: Outcome;
  }
  export function startTask(name: string, input: string, options: StartOptions): number;
  export function startWorkflow(name: string, input: string, options: StartOptions, detached: boolean): number;
  export function startTimer(length: bigint): number;
  export function receiveSignal(name: string): number;
  export function external(): [number, string];
  /** Throws an error whose `payload` is the interruption. */
  export function wait(operations: Uint32Array): Completion;
  export function cancel(operation: number): void;
  export function beginStep(name: string): Outcome | undefined;
  export function endStep(outcome: Outcome): void;
  export function version(change: string, min: number, max: number): number;
  export function continueAsNew(input: string): void;
  export function publish(progress: string): void;
}

declare module "currant:guest/task@0.1.0" {
  export function heartbeat(progress: string | undefined): boolean;
  export function lastProgress(): string | undefined;
}

declare module "currant:guest/telemetry@0.1.0" {
  export type Level = "trace" | "debug" | "info" | "warn" | "error";
  export type Attribute = [string, string];
  export function log(level: Level, message: string, attributes: Attribute[]): void;
  export class Span {
    constructor(name: string, attributes: Attribute[]);
    set(attribute: Attribute): void;
    fail(message: string): void;
    [Symbol.dispose](): void;
  }
  export function counter(name: string, value: number, attributes: Attribute[]): void;
  export function histogram(name: string, value: number, attributes: Attribute[]): void;
  export function gauge(name: string, value: number, attributes: Attribute[]): void;
}

declare module "wasi:cli/environment@0.2.10" {
  export function getEnvironment(): Array<[string, string]>;
}
