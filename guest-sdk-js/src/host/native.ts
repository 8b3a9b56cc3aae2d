/** No worker: what surrounds a function that is called in a test, outside any run of the test kit. */

import type { Execution, TraceContext } from "../context.js";
import type { Surroundings } from "../host.js";

/** An execution as it would be without a test kit around it. */
export function executionOf(name: string, number: number): Execution {
  return {
    id: `00000000-0000-7000-8000-${String(number).padStart(12, "0")}`,
    taskId: undefined,
    function: name,
    queue: "default",
    attempt: 1,
    parent: undefined,
    module: "0".repeat(64),
    deadline: undefined,
  };
}

const TRACE: TraceContext = { traceId: "0".repeat(32), spanId: "0".repeat(16), baggage: [] };

/** Log lines go to stderr, the rest nowhere. */
export const native: Surroundings = {
  execution: () => executionOf("", 0),
  trace: () => TRACE,
  // While a component is built, and in a browser, there is none.
  environment: () => globalThis.process?.env ?? {},
  isCancelled: () => false,
  heartbeat: () => false,
  lastProgress: () => undefined,
  log(level, message, attributes) {
    const shown = Object.entries(attributes).map(([name, value]) => ` ${name}=${JSON.stringify(value)}`);
    console.error(`${level}: ${message}${shown.join("")}`);
  },
  measure() {},
  span: () => ({ set() {}, fail() {}, end() {} }),
};
