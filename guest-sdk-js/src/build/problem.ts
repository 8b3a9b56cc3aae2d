/** What is wrong with somebody's files, said where it stands. */

/** Something that keeps a module from being built, or that is likely not what is meant. */
export interface Problem {
  readonly message: string;
  /** `src/app.ts:3:5`, relative to the project. */
  readonly place?: string | undefined;
  /** The line of source at that place. */
  readonly line?: string | undefined;
  /** What to do instead. */
  readonly hint?: string | undefined;
}

/** The module cannot be built. */
export class BuildError extends Error {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(described).join("\n"));
    this.name = "BuildError";
    this.problems = problems;
  }
}

/** As it is printed after `error: ` or `warning: `. */
export function described({ message, place, line, hint }: Problem): string {
  const head = place === undefined ? message : `${place}: ${message}`;
  const source = line === undefined ? [] : [`    ${line.trim()}`];
  return [head, ...source, ...(hint === undefined ? [] : [`  hint: ${hint}`])].join("\n");
}
