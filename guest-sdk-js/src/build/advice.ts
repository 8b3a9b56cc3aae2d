/** What to do instead of what does not exist in a sandbox. */

const NETWORK = "use fetch: `await fetch(url)` in a task or step, with the host granted at deploy by --allow-http HOST:PORT";
const FILES = "there are no files: take values as input, or fetch them from a service that was granted";
const PROCESSES = "there is one thread and no process: start tasks of your own, which run side by side";

const MODULES: Record<string, string> = {
  assert: 'throw a Failure of "currant", or an Error',
  async_hooks: "pass what is needed as an argument: one execution is one instance",
  buffer: "use Uint8Array, TextEncoder, TextDecoder, atob and btoa",
  child_process: PROCESSES,
  cluster: PROCESSES,
  console: "use the global `console`",
  crypto: "use the global `crypto` (randomUUID, getRandomValues, subtle.digest)",
  dgram: NETWORK,
  dns: NETWORK,
  events: "use EventTarget, or install the package `events`",
  fs: FILES,
  "fs/promises": FILES,
  http: NETWORK,
  http2: NETWORK,
  https: NETWORK,
  net: NETWORK,
  os: "use what is given as input: every execution runs in a sandbox of its own",
  path: "join texts with template literals, or use URL",
  "path/posix": "join texts with template literals, or use URL",
  perf_hooks: "use the global `performance`",
  process: 'read variables by `env` of "currant" (or `process.env`); end a function by returning or throwing',
  querystring: "use URLSearchParams",
  stream: "use ReadableStream, WritableStream and TransformStream",
  "stream/web": "use the globals of the same names",
  string_decoder: "use TextDecoder",
  timers: "use the global setTimeout; in a workflow it is durable",
  "timers/promises": 'use sleep of "currant" in a workflow; in a task `new Promise((done) => setTimeout(done, 1000))`',
  tls: NETWORK,
  url: "use the globals URL and URLSearchParams",
  util: "use structuredClone, TextEncoder and TextDecoder; template literals instead of format",
  v8: "use structuredClone",
  vm: PROCESSES,
  worker_threads: PROCESSES,
  zlib: "use CompressionStream and DecompressionStream (gzip, deflate)",
};

/** What to use instead of a module of Node. */
export function insteadOfModule(name: string): string {
  return MODULES[name] ?? "use what browsers have as well, or do it outside and hand the result over";
}

const PACKAGES: Record<string, string> = {
  axios: "axios works with its fetch adapter: axios.create({ adapter: 'fetch' }); or use fetch itself",
  "better-sqlite3": FILES,
  ioredis: "Redis is reached by TCP, which is not granted: use a service that speaks HTTP",
  knex: "databases are reached by TCP, which is not granted: use a service that speaks HTTP",
  mongodb: "databases are reached by TCP, which is not granted: use a service that speaks HTTP",
  mysql2: "databases are reached by TCP, which is not granted: use a service that speaks HTTP",
  "node-fetch": "fetch is a global",
  pg: "databases are reached by TCP, which is not granted: use a service that speaks HTTP",
  puppeteer: PROCESSES,
  redis: "Redis is reached by TCP, which is not granted: use a service that speaks HTTP",
  sharp: "native code does not load in a sandbox: use a service that was granted",
  undici: "fetch is a global",
};

/** What to use instead of a package that needs what a sandbox does not have. */
export function insteadOfPackage(name: string): string | undefined {
  return PACKAGES[name];
}

const GLOBALS: Record<string, string> = {
  Buffer: MODULES.buffer ?? "",
  Intl: "the engine has no Intl: format by hand, or by a package that brings its own data",
  SharedArrayBuffer: PROCESSES,
  WebAssembly: "a component cannot load another: deploy it as a module of its own, and call its tasks",
  WebSocket: NETWORK,
  Worker: PROCESSES,
  XMLHttpRequest: NETWORK,
  __dirname: FILES,
  __filename: FILES,
  document: "this is no browser: there is no page",
  process: MODULES.process ?? "",
  require: "use import",
  window: "use globalThis",
};

/** What to use instead of a global that the engine does not have: from the message of a ReferenceError. */
export function insteadOfGlobal(message: string): string | undefined {
  const [, name] = /^(\w+) is not defined/.exec(message) ?? [];
  return name === undefined ? undefined : GLOBALS[name];
}

/** What to use instead of what the engine's language does not have: from the message of its error. */
export function insteadOfSyntax(message: string): string | undefined {
  if (!/class property name in regular expression/.test(message)) return undefined;
  return "the engine has no tables of Unicode: write \\p{…} out, for example [a-zà-ÿ] for letters of Western Europe";
}
