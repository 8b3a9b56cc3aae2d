#!/usr/bin/env node

/** `npx currant`: builds modules, and hands every other command to the programs that do it. */

import { VERSION } from "../version.js";
import { runBuild } from "./build.js";
import { handOver, hostCommands } from "./hand_over.js";
import { runNew } from "./new.js";
import { WrongUsage } from "./usage.js";

const HELP = `Durable tasks and workflows in JavaScript and TypeScript.

Usage: npx currant COMMAND

  new FOLDER       a project to begin with
  build [APP]      a file or folder with tasks and workflows becomes a component: app.ts → NAME.wasm

  dev · worker · migrate · bench                        by currant-host
  deploy · start · status · list · history · logs · …   by currant: \`npx currant list --help\`

Exit status:
  0  done
  1  it failed: the module cannot be built, the execution failed
  2  the command was given wrongly
  3  no answer: a program that is needed is not there
`;

/** Answers the exit status. */
async function main([command, ...rest]: string[]): Promise<number> {
  try {
    if (command === undefined || command === "help" || command === "--help" || command === "-h") {
      (command === undefined ? process.stderr : process.stdout).write(HELP);
      return command === undefined ? 2 : 0;
    }
    if (command === "--version" || command === "-V") {
      console.log(`currant ${VERSION} (npm)`);
      return 0;
    }
    if (command === "build") return await runBuild(rest);
    if (command === "new") return await runNew(rest);
    return await handOver(hostCommands.has(command) ? "currant-host" : "currant", [command, ...rest]);
  } catch (error) {
    if (!(error instanceof WrongUsage)) throw error;
    console.error(`error: ${error.message}`);
    return 2;
  }
}

process.exitCode = await main(process.argv.slice(2));
