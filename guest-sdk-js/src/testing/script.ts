/** What a test says in advance. */

import type { Definition } from "../functions.js";
import type { Outcome } from "../host.js";

/** A message, and when it comes. */
export interface Message {
  readonly at: number;
  readonly name: string;
  /** JSON text. */
  readonly payload: string;
}

/** What a test says in advance. */
export interface Script {
  readonly signals: Message[];
  /** By their number, from 1. */
  readonly externals: Map<number, Outcome>;
  cancelAt: number | undefined;
  /** By the function itself, or by the name of one that is not of this module. */
  readonly mocks: Map<Definition | string, (...args: unknown[]) => unknown>;
  readonly variables: Record<string, string>;
}
