/**
 * The globals that a workflow must not have as they are. Each one looks at who is calling: in a workflow, outside a step, it is durable or
 * refused; everywhere else it is the usual one.
 */

import type { Run } from "./executor.js";
import { currentRun } from "./host.js";

/** What JavaScript gives everybody, as far as it is replaced here. */
interface Replaced {
  setTimeout: (callback: (...args: unknown[]) => void, delay?: number, ...args: unknown[]) => unknown;
  clearTimeout: (id?: unknown) => void;
  setInterval: (callback: (...args: unknown[]) => void, delay?: number, ...args: unknown[]) => unknown;
  clearInterval: (id?: unknown) => void;
  fetch: (input: unknown, init?: unknown) => Promise<unknown>;
}

const GLOBAL = globalThis as unknown as Replaced;

/** The run of the workflow that is calling, unless a step of it is. */
function workflow(): Run | undefined {
  const run = currentRun();
  return run?.step === undefined ? run : undefined;
}

/** Replaces them; the answer puts the usual ones back. */
export function replaceGlobals(): () => void {
  const { setTimeout, clearTimeout, setInterval, clearInterval, fetch } = GLOBAL;
  const usual = { setTimeout, clearTimeout, setInterval, clearInterval, fetch };
  const clear = (id: unknown, otherwise: (id?: unknown) => void) => {
    const run = currentRun();
    if (!(run && typeof id === "number" && clearDurable(run, id))) otherwise.call(globalThis, id);
  };
  const durable: Replaced = {
    setTimeout(callback, delay, ...args) {
      const run = workflow();
      return run ? setDurable(run, callback, delay, args, false) : usual.setTimeout.call(globalThis, callback, delay, ...args);
    },
    setInterval(callback, delay, ...args) {
      const run = workflow();
      return run ? setDurable(run, callback, delay, args, true) : usual.setInterval.call(globalThis, callback, delay, ...args);
    },
    clearTimeout: (id) => clear(id, usual.clearTimeout),
    clearInterval: (id) => clear(id, usual.clearInterval),
    fetch(input, init) {
      const refused = "the network is not available in a workflow: call a task, or fetch inside a step";
      return workflow() ? Promise.reject(new TypeError(refused)) : fetchInWords(usual.fetch, input, init);
    },
  };
  Object.assign(globalThis, durable);
  return () => void Object.assign(globalThis, usual);
}

/** The engine says "NetworkError" of everything; the reason stands in the log. */
async function fetchInWords(fetch: Replaced["fetch"], input: unknown, init: unknown): Promise<unknown> {
  try {
    return await fetch.call(globalThis, input, init);
  } catch (error) {
    if (!(error instanceof TypeError && /NetworkError/.test(error.message))) throw error;
    const url = new URL(typeof input === "object" && input !== null && "url" in input ? String(input.url) : String(input));
    const port = url.port || (url.protocol === "https:" ? "443" : "80");
    throw new TypeError(
      `cannot fetch ${url.href}: no connection, or ${url.hostname}:${port} is not granted to this module ` +
        `(\`currant deploy … --allow-http ${url.hostname}:${port}\` grants it); \`currant logs\` says which`,
      { cause: error },
    );
  }
}

/** Timers of `setTimeout` and `setInterval` by run, and by the number that the caller was given. */
const timers = new WeakMap<Run, Map<number, () => void>>();
let ids = 0;

function setDurable(
  run: Run,
  callback: (...args: unknown[]) => void,
  delay: number | undefined,
  args: unknown[],
  repeat: boolean,
): number {
  if (typeof callback !== "function") throw new TypeError("a timer is given a function");
  const id = ++ids;
  const own = timers.get(run) ?? new Map<number, () => void>();
  timers.set(run, own);
  const length = Math.max(0, Math.ceil(Number(delay) || 0));
  const fire = () => {
    own.delete(id);
    if (repeat) begin();
    callback(...args);
  };
  const begin = () => {
    if (length === 0 && !repeat) {
      // Nothing to wait for: it only lets others go first, and needs no record.
      let live = true;
      own.set(id, () => {
        live = false;
      });
      run.soon(() => live && fire());
      return;
    }
    const number = run.host.startTimer(Math.max(1, length));
    const pending = { number, detached: false, awaited: true, deliver: () => run.call(fire) };
    own.set(id, () => run.giveUp(pending));
    run.add(pending);
  };
  begin();
  return id;
}

function clearDurable(run: Run, id: number): boolean {
  const own = timers.get(run);
  const cancel = own?.get(id);
  own?.delete(id);
  cancel?.();
  return cancel !== undefined;
}

/**
 * `Math.random` from the host at each call. The engine's own keeps a state: drawn from inside a step it would go on otherwise than on a replay,
 * where the step does not run.
 */
export function replaceRandom(): void {
  const words = new Uint32Array(2);
  Math.random = function random() {
    crypto.getRandomValues(words);
    const [high = 0, low = 0] = words;
    return ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53;
  };
}
