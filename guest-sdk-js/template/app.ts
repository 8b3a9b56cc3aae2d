import { log, task, workflow } from "currant";

/** Says hello. */
export const hello = task({ retries: 5, timeout: "10s" }, async (name: string) => {
  log.info("saying hello", { name });
  return `Hello, ${name}!`;
});

/** Says hello to everybody, all at once. */
export const greet = workflow(async (names: string[]) => {
  return Promise.all(names.map((name) => hello(name)));
});
