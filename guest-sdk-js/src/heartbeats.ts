/** What a task tells while it runs. */

import { surroundings } from "./host.js";
import { encode } from "./values.js";

/**
 * Says that the task is alive, and how far it is. Returns whether its cancellation was requested.
 *
 * The progress is shown by `currant status`, and the next attempt can read it by `lastProgress`. Cheap: the host writes at most one a second,
 * and always the last one. For tasks only.
 *
 *     for (const [index, file] of files.entries()) {
 *       if (heartbeat(index)) throw new Cancelled();
 *       await copy(file);
 *     }
 */
export function heartbeat(progress?: unknown): boolean {
  return surroundings().heartbeat(progress === undefined ? undefined : encode("progress", progress));
}

/** What the previous attempt said last by `heartbeat`, if there was one. */
export function lastProgress<T = unknown>(): T | undefined {
  const text = surroundings().lastProgress();
  return text === undefined ? undefined : (JSON.parse(text) as T);
}
