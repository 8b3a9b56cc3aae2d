/** Workflows that wait. */

import { external, publish, receive, sleep, workflow } from "currant";

import { sleep as sleepTask } from "./liveness.js";

/** A durable pause. Answers how long it was by the workflow's clock. */
export const sleepFlow = workflow(async (milliseconds: number) => {
  const began = Date.now();
  await sleep(milliseconds);
  return Date.now() - began;
});

/** The same by the language's own timer, which knows nothing of durability. */
export const stdSleepFlow = workflow(async (milliseconds: number) => {
  const began = performance.now();
  await new Promise((done) => setTimeout(done, milliseconds));
  return Math.floor(performance.now() - began);
});

/** So many pauses, one after the other. */
export const sleepOften = workflow(async (times: number, milliseconds: number) => {
  for (let turn = 0; turn < times; turn++) await sleep(milliseconds);
  return null;
});

/** Waits for a signal, and answers its payload. */
export const waitSignal = workflow(async (name: string) => receive(name));

/** Waits for a signal, but not for ever. */
export const signalOrTimeout = workflow(
  async (name: string, milliseconds: number) => (await receive(name, { timeout: milliseconds })) ?? null,
);

/** Two signals of one name, in the order of their arrival. */
export const twoSignalsInOrder = workflow(async (name: string) => [await receive(name), await receive(name)]);

/** Gives up waiting for a signal, and gets it when it asks again. */
export const signalAfterGivingUp = workflow(async (name: string, milliseconds: number) => {
  const early = await receive(name, { timeout: milliseconds });
  return [early !== undefined, await receive(name)];
});

/** A task against a timer: answers who won. The loser is cancelled. */
export const race = workflow(async (taskMs: number, timerMs: number) => {
  const [slept, rang] = [sleepTask(taskMs), sleep(timerMs)];
  const winner = await Promise.race([slept.then(() => "task"), rang.then(() => "timer")]);
  slept.cancel();
  rang.cancel();
  return winner;
});

/** The first of several that succeeds, and how all of them ended. */
export const anyAndSettled = workflow(async () => {
  const first = await Promise.any([
    sleep("10ms").then(() => Promise.reject(new Error("too early"))),
    sleep("40ms").then(() => "right"),
    sleep("80ms").then(() => "late"),
  ]);
  const all = await Promise.allSettled([sleep("1ms").then(() => 1), sleep("2ms").then(() => Promise.reject(new Error("2")))]);
  return [first, all.map(({ status }) => status)];
});

/** So many timers of the same length at once. Answers the order in which they were delivered. */
export const deliveryOrder = workflow(async (timers: number, milliseconds: number) => {
  const order: number[] = [];
  const pauses = Array.from({ length: timers }, (_, number) => sleep(milliseconds).then(() => order.push(number)));
  await Promise.all(pauses);
  return order;
});

/** Pauses, in the order in which they end. */
export const asTheyComplete = workflow(async (pausesMs: number[]) => {
  const order: number[] = [];
  await Promise.all(pausesMs.map((pause) => sleep(pause).then(() => order.push(pause))));
  return order;
});

/** Waits for somebody outside, who finds the token in the workflow's progress. */
export const waitExternal = workflow(async () => {
  const answer = external();
  publish(answer.token);
  return answer.result;
});

/** Awaits something that never happens. */
export const stuck = workflow(async () => new Promise<null>(() => {}));

/** Five thousand awaits, one inside the other, and the timers of the language. */
export const deepAwaits = workflow(async () => {
  let [awaits, ticks] = [0, 0];
  for (; awaits < 5000; awaits++) await (async () => (async () => null)())();
  const ticking = setInterval(() => ticks++, 10);
  const never = setTimeout(() => {
    throw new Error("a timer that was cleared fired");
  }, 15);
  clearTimeout(never);
  await new Promise((done) => setTimeout(done, 35));
  clearInterval(ticking);
  return [awaits, ticks];
});
