/**
 * What a run needs from whoever runs it: the contract in this package's own types.
 *
 * Two things can run a workflow: the worker, through the component's imports (`host/component.ts`), and the test kit, which moves a clock of
 * its own (`testing/`). Nothing else in this package knows which.
 */

import type { Execution, TraceContext } from "./context.js";
import type { Run } from "./executor.js";
import type { FailureRecord } from "./failures.js";
import type { Target } from "./functions.js";
import { native } from "./host/native.js";
import type { StartOptions } from "./options.js";
import type { Attributes, Level, MetricKind } from "./telemetry.js";

/** How a step, a task, a workflow, a timer or a signal ended: a value as JSON text, or a failure. */
export type Outcome = { readonly value: string } | { readonly failure: FailureRecord };

/** What ended a wait. */
export type Delivery =
  | { readonly operation: number; readonly outcome: Outcome }
  /** Somebody asked for the cancellation of the workflow. */
  | "cancelled"
  /** Nothing that is waited for can ever happen; the sentence says why. Only the test kit can know this. */
  | { readonly never: string };

/** What a workflow's run asks for. Each thing that is started gets the next number. */
export interface Host {
  startTask(target: Target, input: string, options: StartOptions): number;
  startWorkflow(target: Target, input: string, options: StartOptions, detached: boolean): number;
  startTimer(milliseconds: number): number;
  receiveSignal(name: string): number;
  external(): { readonly operation: number; readonly token: string };
  wait(operations: number[]): Delivery | Promise<Delivery>;
  cancel(operation: number): void;
  beginStep(name: string): Outcome | undefined;
  endStep(outcome: Outcome): void;
  version(change: string, min: number, max: number): number;
  /** In a component it does not return. */
  continueAsNew(input: string): void;
  publish(progress: string): void;
  /** Resolves when no code of the workflow can run on. */
  quiet(): Promise<void>;
}

/** What tasks and workflows alike can ask and tell. */
export interface Surroundings {
  execution(): Execution;
  trace(): TraceContext;
  environment(): Readonly<Record<string, string | undefined>>;
  isCancelled(): boolean;
  heartbeat(progress: string | undefined): boolean;
  lastProgress(): string | undefined;
  log(level: Level, message: string, attributes: Attributes): void;
  measure(kind: MetricKind, name: string, value: number, attributes: Attributes): void;
  span(name: string, attributes: Attributes): SpanHandle;
}

/** A span that has begun. */
export interface SpanHandle {
  set(name: string, value: unknown): void;
  fail(message: string): void;
  end(): void;
}

/** Who runs what is being executed now. */
export interface World {
  /** The workflow's run, if it is a workflow. */
  run(): Run | undefined;
  surroundings(): Surroundings;
}

let world: World = { run: () => undefined, surroundings: () => native };

/** Says who runs; once per component, and once when the test kit is imported. */
export function enter(next: World): void {
  world = next;
}

/** The run of the workflow whose code is being executed, if it is a workflow's. */
export function currentRun(): Run | undefined {
  return world.run();
}

/** What surrounds the code that is being executed. */
export function surroundings(): Surroundings {
  return world.surroundings();
}
