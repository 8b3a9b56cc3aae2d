/** Commands that were given wrongly. */

import { type ParseArgsConfig, parseArgs } from "node:util";

/** The command was given wrongly: the sentence says how. */
export class WrongUsage extends Error {}

/** Parses arguments; an unknown option is a sentence. */
export function parse<T extends ParseArgsConfig>(config: T, usage: string): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (error) {
    throw new WrongUsage(`${error instanceof Error ? error.message : error}\n${usage}`);
  }
}
