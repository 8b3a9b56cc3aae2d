/** The examples' own tests, as `npm test` runs them in their folders, without anything to install there. */

import { mkdir } from "node:fs/promises";
import { fileURLToPath, pathToFileURL } from "node:url";

import { build } from "esbuild";

const EXAMPLES = fileURLToPath(new URL("../../../examples/", import.meta.url));
// Inside of this package, so that "currant" is this package.
const TARGET = fileURLToPath(new URL("../examples/", import.meta.url));

await mkdir(TARGET, { recursive: true });
for (const name of ["hello", "checkout", "fan-out", "mixed", "bench"]) {
  const outfile = `${TARGET}${name}.mjs`;
  const entry = `${EXAMPLES}${name}/js/app.test.ts`;
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    packages: "external",
    format: "esm",
    platform: "node",
    keepNames: true,
  });
  await import(pathToFileURL(outfile).href);
}
