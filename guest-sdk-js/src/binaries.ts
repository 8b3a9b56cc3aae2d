/** Where the programs `currant` and `currant-host` are. */

import { accessSync, constants, realpathSync } from "node:fs";
import { delimiter, join, sep } from "node:path";

/** The path of a program: in `CURRANT_HOME` or its `bin`, otherwise on the PATH. Undefined if it is not installed. */
export function findProgram(name: "currant" | "currant-host", env: NodeJS.ProcessEnv = process.env): string | undefined {
  const home = env.CURRANT_HOME;
  const folders = home ? [home, join(home, "bin")] : (env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    // `npx` puts this package's own command first, which is called `currant` as well.
    return !realpathSync(path).endsWith(".js") && !path.split(sep).includes("node_modules");
  } catch {
    return false;
  }
}

/** What to say when it is not there. */
export function notInstalled(name: string, env: NodeJS.ProcessEnv = process.env): string {
  const home = env.CURRANT_HOME;
  const where = home ? `in CURRANT_HOME (${home})` : "on the PATH";
  return `the program \`${name}\` is not ${where}\n  hint: install it (cargo install --locked ${name === "currant" ? "currant-cli" : name}), or set CURRANT_HOME to the folder that holds it`;
}
