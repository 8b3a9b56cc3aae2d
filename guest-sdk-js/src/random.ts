/** Random values that need no care: real ones in tasks and steps, in a workflow those of the record. */

/** A number from 0 up to, but not including, 1. The same as `Math.random()`. */
export function random(): number {
  return Math.random();
}

/** A random UUID (version 4). The same as `crypto.randomUUID()`. */
export function uuid(): string {
  return crypto.randomUUID();
}
