/** Something that a workflow has started, and whose outcome it can await. */

import type { Pending, Run } from "./executor.js";
import { Cancelled, failureOf } from "./failures.js";
import type { Outcome } from "./host.js";

/** How an outcome becomes what the awaiting code gets. */
export interface Reading<T> {
  value(text: string): T | Promise<T>;
  /** The function, if it is one's result. */
  child?: string | undefined;
}

/**
 * A started operation: a promise that can be given up.
 *
 * It counts as awaited from the moment that somebody awaits it: a workflow waits for those only, so a message that nobody awaits is consumed
 * by nobody.
 */
export class Operation<T> extends Promise<T> {
  /** What `then` answers is an ordinary promise. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  #begun: Begun | undefined;

  /** Started in a run under this number. @internal */
  static begun<T>(run: Run, number: number, reading: Reading<T>, detached = false): Operation<T> {
    let resolve: (value: T | Promise<T>) => void = () => {};
    let reject: (error: unknown) => void = () => {};
    const operation = new Operation<T>((onValue, onError) => {
      resolve = onValue;
      reject = onError;
    });
    // A failure that nobody awaits is nobody's: what is given up may fail.
    Promise.prototype.then.call(operation, undefined, () => {});
    const pending: Pending = {
      number,
      detached,
      awaited: false,
      deliver: (outcome) => settle(outcome, reading, resolve, reject),
      interrupt: () => reject(new Cancelled()),
    };
    operation.#begun = { run, pending };
    run.add(pending);
    return operation;
  }

  /** What runs without a worker: a function that is called outside a workflow. @internal */
  static of<T>(body: () => T | Promise<T>): Operation<T> {
    return new Operation<T>((resolve, reject) => {
      Promise.resolve().then(body).then(resolve, reject);
    });
  }

  /**
   * Gives it up: a task or workflow is cancelled, a timer or message no longer waited for. Whoever awaits it gets `Cancelled`. Does nothing
   * if it is over.
   */
  cancel(): void {
    this.#begun?.run.giveUp(this.#begun.pending);
  }

  // biome-ignore lint/suspicious/noThenProperty: it is a promise, which learns here that somebody awaits it
  override then<A = T, B = never>(
    onValue?: ((value: T) => A | PromiseLike<A>) | null,
    // biome-ignore lint/suspicious/noExplicitAny: as the language's own promises have it
    onError?: ((reason: any) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    if (this.#begun) this.#begun.pending.awaited = true;
    return super.then(onValue, onError);
  }
}

interface Begun {
  run: Run;
  pending: Pending;
}

function settle<T>(
  outcome: Outcome,
  reading: Reading<T>,
  resolve: (value: T | Promise<T>) => void,
  reject: (error: unknown) => void,
): void {
  if ("failure" in outcome) {
    reject(failureOf(outcome.failure, reading.child));
    return;
  }
  try {
    resolve(reading.value(outcome.value));
  } catch (error) {
    reject(error);
  }
}
