/** What comes from outside while a workflow runs: messages, and results that somebody else delivers. */

import { type Duration, milliseconds } from "./durations.js";
import { durableRun } from "./executor.js";
import { Operation } from "./operation.js";
import { read, type Validator } from "./values.js";

/** What can be said about a message that is waited for. */
export interface ReceiveOptions<T> {
  /** Checks the payload, in the ways in which an input is checked. */
  payload?: Validator<T>;
}

/**
 * Waits for one message of this name (`currant signal ID NAME`). Messages that came earlier are kept, and handed out in the order of their
 * arrival. With `timeout` it waits no longer than that; then the answer is `undefined`.
 *
 *     const editor = await receive<string>("approved");
 *     const remark = await receive<string>("remark", { timeout: "1h" });
 */
export function receive<T = unknown>(name: string, options?: ReceiveOptions<T>): Operation<T>;
export function receive<T = unknown>(name: string, options: ReceiveOptions<T> & { timeout: Duration }): Promise<T | undefined>;
export function receive<T>(
  name: string,
  { payload, timeout }: ReceiveOptions<T> & { timeout?: Duration } = {},
): Promise<T | undefined> {
  const run = durableRun(`receiving the signal \`${name}\``);
  const limit = timeout === undefined ? undefined : milliseconds(timeout, "`timeout`");
  const message = Operation.begun<T>(run, run.host.receiveSignal(name), {
    value: (text) => read("invalid-input", `the payload of the signal \`${name}\``, text, payload),
  });
  if (limit === undefined) return message;
  const timer = Operation.begun<undefined>(run, run.host.startTimer(limit), { value: () => undefined });
  return first(message, timer);
}

/** The loser is given up at once, so that it consumes no message and fires no more. */
async function first<T>(message: Operation<T>, timer: Operation<undefined>): Promise<T | undefined> {
  try {
    return await Promise.race([message, timer]);
  } finally {
    message.cancel();
    timer.cancel();
  }
}

/** A result that comes from outside: what `external` answers. */
export interface External<T> {
  /** What the one who completes it must know, and nobody else should. */
  readonly token: string;
  /** The result, to be awaited. */
  readonly result: Operation<T>;
}

/**
 * Starts something that somebody outside completes: whoever holds the token, by `currant.complete(token, …)` or `currant.fail(token, …)`.
 *
 *     const answer = external<boolean>();
 *     await askHuman(answer.token);
 *     const approved = await answer.result;
 */
export function external<T = unknown>(options: { result?: Validator<T> } = {}): External<T> {
  const run = durableRun("an external result");
  const { operation, token } = run.host.external();
  const value = (text: string) => read("invalid-result", "the external result", text, options.result);
  return { token, result: Operation.begun<T>(run, operation, { value }) };
}
