/** The network, by `fetch`. */

import { task, workflow } from "currant";

/** Gets a page: `http://host[:port]/path` or the same with https. */
export const httpGet = task({ retries: 0 }, async (url: string) => get(url));

/** Sends a text, and answers what comes back. */
export const httpPost = task({ retries: 0 }, async (url: string, body: string) => {
  const response = await fetch(url, { method: "POST", body, headers: { "content-type": "text/plain" } });
  return { status: response.status, body: await response.text(), type: response.headers.get("content-type") };
});

/** The same from a workflow, outside a step. Answers what the error said. */
export const httpInWorkflow = workflow(async (url: string) => {
  try {
    return (await get(url)).body;
  } catch (error) {
    return String(error);
  }
});

/** Connects outside a step. Answers what the error said. */
export const networkInWorkflow = workflow(async (host: string, port: number) => talk(host, port));

export async function get(url: string) {
  const response = await fetch(url);
  return { status: response.status, body: await response.text() };
}

/** What came back, or what the error said. */
export async function talk(host: string, port: number): Promise<string> {
  try {
    return (await get(`http://${host}:${port}/`)).body;
  } catch (error) {
    return String(error);
  }
}
