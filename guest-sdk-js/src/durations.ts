/** Lengths of time as people write them: `"1 day"`, `"1h30m"`, `"500ms"`; a number is milliseconds, as everywhere in JavaScript. */

/** A length of time: milliseconds, or a text such as `"30s"`, `"1h30m"`, `"2 days"`. */
export type Duration = number | string;

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

const WORDS: Record<string, string> = {
  millisecond: "ms",
  msec: "ms",
  second: "s",
  sec: "s",
  minute: "m",
  min: "m",
  hour: "h",
  hr: "h",
  day: "d",
  week: "w",
};

/** Whole milliseconds. Up, because a pause must not be shorter than what was asked for. `what` names it in the error. */
export function milliseconds(length: Duration, what = "a length of time"): number {
  const exact = typeof length === "number" ? length : parse(length);
  if (exact === undefined || !Number.isFinite(exact) || exact < 0) {
    const given = typeof length === "string" ? JSON.stringify(length) : String(length);
    throw new RangeError(`${what} is written like "30s", "1h30m", "2 days" or as milliseconds, not ${given}`);
  }
  return Math.ceil(exact);
}

function parse(text: string): number | undefined {
  const part = /\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*,?/y;
  const lower = text.toLowerCase();
  let sum = 0;
  do {
    const [, count, word] = part.exec(lower) ?? [];
    const unit = word === undefined ? undefined : unitOf(word);
    if (unit === undefined) return undefined;
    sum += Number(count) * unit;
  } while (part.lastIndex < text.length);
  // 0.1 of a second is 100 ms, not 100.00000000000001.
  return Number(sum.toPrecision(15));
}

function unitOf(word: string): number | undefined {
  const singular = word.length > 2 && word.endsWith("s") ? word.slice(0, -1) : word;
  return UNITS[WORDS[singular] ?? word];
}
