/** The stack that the tests of one process share: deploying a component takes longer than all of them. */

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { Stack } from "./stack.js";

let stack: Promise<Stack> | undefined;
let server: Promise<Server> | undefined;

/** All behaviours, with a variable and a host that are granted. */
export function sharedStack(): Promise<Stack> {
  stack ??= sharedPort().then((port) => Stack.withBehaviours("--env", "GREETING=hello", "--allow-http", `127.0.0.1:${port}`));
  return stack;
}

/** Where the host listens that is granted: it answers with what it was asked. */
export async function sharedPort(): Promise<number> {
  server ??= listen();
  return ((await server).address() as AddressInfo).port;
}

/** Ends everything. */
export async function stopSharedStack(): Promise<void> {
  (await server)?.close();
  await (await stack)?.stop();
}

async function listen(): Promise<Server> {
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      response.statusCode = request.url === "/missing" ? 404 : 200;
      response.setHeader("content-type", "text/plain; charset=utf-8");
      response.end(`${request.method} ${request.url} ${body}`.trim());
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return server;
}
