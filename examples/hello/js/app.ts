/** The smallest module: one task, and one workflow that calls it. */

import { log, task, workflow } from "currant";

/** Says hello. */
export const hello = task(async (name: string) => {
  log.info(`saying hello to ${name}`);
  return `Hello, ${name}!`;
});

/** Says hello to everybody, one after the other. */
export const greet = workflow(async (names: string[]) => {
  const greetings: string[] = [];
  for (const name of names) greetings.push(await hello(name));
  return greetings;
});
