/** Commands that another program does. */

import { spawn } from "node:child_process";

import { findProgram, notInstalled } from "../binaries.js";

/** Commands of `currant-host`; everything else is one of `currant`. */
export const hostCommands: ReadonlySet<string> = new Set(["dev", "worker", "migrate", "bench"]);

/** Runs the program with the same terminal, signals and exit status. */
export async function handOver(name: "currant" | "currant-host", args: string[]): Promise<number> {
  const program = findProgram(name);
  if (program === undefined) {
    console.error(`error: \`currant ${args[0]}\` cannot run: ${notInstalled(name)}`);
    return 3;
  }
  const child = spawn(program, args, { stdio: "inherit" });
  // A terminal sends its signals to both; those of a service manager reach us alone.
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const pass = (signal: NodeJS.Signals) => void child.kill(signal);
  for (const signal of signals) process.on(signal, signal === "SIGINT" && process.stdin.isTTY ? () => {} : pass);
  return new Promise((resolve) => {
    child.on("error", (error) => {
      console.error(`error: cannot run ${program}: ${error.message}`);
      resolve(3);
    });
    child.on("exit", (status, signal) => resolve(status ?? (signal === "SIGINT" ? 130 : 143)));
  });
}
