/** Many tasks at once: texts are counted side by side, at most so many at a time, and what failed does not spoil the rest. */

import { ChildFailed, NonRetryable, publish, task, workflow } from "currant";

/** Counts the words of one text. */
export const count = task({ queue: "counting", retries: 2, timeout: "30s" }, async (text: string) => {
  // The engine has no tables of Unicode, and thus no \p{L}.
  const words = text.toLowerCase().match(/[a-z0-9_à-ÿ]+/g);
  if (words === null) throw new NonRetryable("no-words", "there is nothing to count");
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
});

/** Counts all texts, at most `atOnce` (8) at a time, and shows how far it is. */
export const countAll = workflow(async (texts: Record<string, string>, atOnce?: number) => {
  const left = Object.keys(texts);
  const total = new Map<string, number>();
  const failed: Record<string, string> = {};
  let words = 0;

  // So many lanes, each of which takes the next text when it is done with one.
  const lane = async () => {
    for (let name = left.shift(); name !== undefined; name = left.shift()) {
      try {
        for (const [word, times] of Object.entries(await count(texts[name] ?? ""))) {
          total.set(word, (total.get(word) ?? 0) + times);
          words += times;
        }
      } catch (error) {
        if (!(error instanceof ChildFailed)) throw error;
        failed[name] = error.message;
      }
      publish({ done: words, failed: Object.keys(failed).length });
    }
  };
  await Promise.all(Array.from({ length: atOnce ?? 8 }, lane));

  // Words that are used equally often come in the order of the alphabet.
  const most = [...total].sort(([one, often], [other, oftener]) => oftener - often || (one < other ? -1 : 1)).slice(0, 5);
  return { words, most, failed };
});
