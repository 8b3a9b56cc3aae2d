/** The stack that the tests of one process share: deploying a component takes longer than all of them. */

import { readFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

import { PACKAGE, Stack } from "./stack.js";

let stack: Promise<Stack> | undefined;
let server: Promise<Server> | undefined;
let secureServer: Promise<Server> | undefined;

/** All behaviours, with a variable and two hosts that are granted. */
export function sharedStack(): Promise<Stack> {
  const start = async () => {
    const [plain, secure] = [`127.0.0.1:${await sharedPort()}`, `localhost:${await securePort()}`];
    return Stack.withBehaviours("--env", "GREETING=hello", "--allow-http", plain, "--allow-http", secure);
  };
  stack ??= start();
  return stack;
}

/** Where the host listens that is granted: it answers with what it was asked. */
export async function sharedPort(): Promise<number> {
  server ??= listen(createServer(answer));
  return portOf(await server);
}

/** The same by HTTPS, with a certificate for `localhost` of the authority that the worker was given. */
export async function securePort(): Promise<number> {
  const file = (name: string) => readFileSync(join(PACKAGE, "../tests/tls", name));
  secureServer ??= listen(createSecureServer({ cert: file("server.pem"), key: file("server.key") }, answer));
  return portOf(await secureServer);
}

/** Ends everything. */
export async function stopSharedStack(): Promise<void> {
  for (const one of [server, secureServer]) (await one)?.close();
  await (await stack)?.stop();
}

const answer: RequestListener = (request, response) => {
  let body = "";
  request.on("data", (chunk) => {
    body += chunk;
  });
  request.on("end", () => {
    response.statusCode = request.url === "/missing" ? 404 : 200;
    response.setHeader("content-type", "text/plain; charset=utf-8");
    response.end(`${request.method} ${request.url} ${body}`.trim());
  });
};

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

async function listen(server: Server): Promise<Server> {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return server;
}
