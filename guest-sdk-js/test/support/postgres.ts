/** A private Postgres for one test process, found where `currant dev` finds it: on the PATH, or where distributions put it. */

import { execFileSync, spawnSync } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/** A server, and how to be rid of it. */
export interface Server {
  readonly url: string;
  stop(): void;
}

/** That of `CURRANT_TEST_DATABASE_URL`, or one of its own. */
export function startPostgres(): Server {
  const given = process.env.CURRANT_TEST_DATABASE_URL;
  if (given !== undefined) return { url: given, stop() {} };
  const programs = findPrograms();
  const folder = mkdtempSync(join(tmpdir(), "currant-js-"));
  const account = accountFor(folder);
  const run = (program: string, args: string[]) => {
    const { status, stderr, error } = spawnSync(join(programs, program), args, {
      ...account,
      cwd: folder,
      encoding: "utf8",
      stdio: ["ignore", "ignore", "pipe"],
    });
    if (status !== 0) throw new Error(`${program} ended with ${status}: ${error?.message ?? stderr}`);
  };
  const data = join(folder, "data");
  run("initdb", ["-A", "trust", "-U", "postgres", "--no-sync", "--locale=C", "-E", "UTF8", "-D", data]);
  const settings = `-k ${folder} -c listen_addresses='' -c fsync=off -c max_connections=200 -c jit=off`;
  run("pg_ctl", ["-D", data, "-o", settings, "-l", join(folder, "log"), "-w", "start"]);
  return {
    url: `postgres://postgres@localhost/postgres?host=${encodeURIComponent(folder)}`,
    stop() {
      run("pg_ctl", ["-D", data, "-m", "immediate", "-w", "stop"]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function findPrograms(): string {
  const versions = existsSync("/usr/lib/postgresql") ? readdirSync("/usr/lib/postgresql").sort().reverse() : [];
  const folders = [
    ...(process.env.PATH ?? "").split(delimiter),
    ...versions.map((version) => `/usr/lib/postgresql/${version}/bin`),
  ];
  const found = folders.find((folder) => folder !== "" && existsSync(join(folder, "initdb")));
  if (found === undefined) throw new Error("no Postgres: install one (scripts/setup), or set CURRANT_TEST_DATABASE_URL");
  return found;
}

/** Postgres refuses to be run by root. */
function accountFor(folder: string): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const id = (option: string) => Number(execFileSync("id", [option, "postgres"], { encoding: "utf8" }));
  const [uid, gid] = [id("-u"), id("-g")];
  chownSync(folder, uid, gid);
  return { uid, gid };
}
