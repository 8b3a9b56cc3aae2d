/** Where an error came from, in the author's own files: frames of the bundle are mapped back by the source map that the build put into it. */

/** What the build leaves in the component. */
export interface BuildInfo {
  /** The module's name and version. */
  readonly name: string;
  readonly version: string;
  /** Doc comments, by the name of the export. */
  readonly descriptions: Readonly<Record<string, string>>;
  /** Where the lines of the bundle come from. A source that is null is none of the author's. */
  readonly map: { readonly file: string; readonly sources: ReadonlyArray<string | null>; readonly mappings: string };
}

/** Where the build leaves it. */
export const BUILD = Symbol.for("currant.build");

/** What the build left; undefined outside a component. */
export function buildInfo(): BuildInfo | undefined {
  return (globalThis as { [BUILD]?: BuildInfo })[BUILD];
}

/** The stack of an error and of its causes, as text. */
export function stackOf(error: Error): string {
  const parts: string[] = [];
  const seen = new Set<unknown>();
  for (let link: unknown = error; link instanceof Error && !seen.has(link); link = link.cause) {
    seen.add(link);
    parts.push(`${parts.length > 0 ? "caused by " : ""}${headed(link)}`);
  }
  return parts.join("\n");
}

function headed(error: Error): string {
  const stack = error.stack ?? "";
  // V8 says what it is by itself.
  if (/^\s+at /m.test(stack)) return stack;
  const name = error.name && error.name !== "Error" ? error.name : (error.constructor?.name ?? "Error");
  return [`${name}: ${error.message}`, ...frames(stack, buildInfo()?.map)].join("\n");
}

/** `charge@app.js:812:11` → `    at charge (src/payments.ts:12:11)`; frames that are not the author's are left out. */
export function frames(stack: string, map: BuildInfo["map"] | undefined): string[] {
  const shown: string[] = [];
  for (const line of stack.split("\n")) {
    const [, name = "", file = "", row, column] = /^(.*?)@(.*?):(\d+):(\d+)$/.exec(line) ?? [];
    if (row === undefined || column === undefined) continue;
    const place = map && file.endsWith(map.file) ? original(map, Number(row), Number(column)) : undefined;
    if (place === undefined) continue;
    const called = name.replace(/^(?:async|promise callback)\*/, "async ").replace(/[/<]+$/, "");
    shown.push(called.trim() === "" ? `    at ${place}` : `    at ${called.trim()} (${place})`);
  }
  return shown;
}

/** The place in the author's file, lines and columns from 1. */
export function original(map: BuildInfo["map"], row: number, column: number): string | undefined {
  let found: Segment | undefined;
  for (const segment of segments(map.mappings)[row - 1] ?? []) {
    if (segment.column > column - 1) break;
    found = segment;
  }
  const source = found && map.sources[found.source];
  return found && source ? `${source}:${found.row + 1}:${found.sourceColumn + 1}` : undefined;
}

/** One entry of a source map, everything from 0. */
interface Segment {
  readonly column: number;
  readonly source: number;
  readonly row: number;
  readonly sourceColumn: number;
}

let decoded: { readonly mappings: string; readonly lines: Segment[][] } | undefined;

/** By line of the bundle. Read when the first stack is needed. */
function segments(mappings: string): Segment[][] {
  if (decoded?.mappings !== mappings) decoded = { mappings, lines: decodeMappings(mappings) };
  return decoded.lines;
}

function decodeMappings(mappings: string): Segment[][] {
  let [source, row, sourceColumn] = [0, 0, 0];
  return mappings.split(";").map((line) => {
    let column = 0;
    const found: Segment[] = [];
    for (const text of line.split(",")) {
      const [columns, sources, rows, sourceColumns] = decodeDigits(text);
      if (columns === undefined) continue;
      column += columns;
      if (sources === undefined || rows === undefined || sourceColumns === undefined) continue;
      source += sources;
      row += rows;
      sourceColumn += sourceColumns;
      found.push({ column, source, row, sourceColumn });
    }
    return found;
  });
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Base64 digits of five bits each, the sixth says that more follow; the lowest bit of a number is its sign. */
function decodeDigits(text: string): number[] {
  const numbers: number[] = [];
  let [value, shift] = [0, 0];
  for (const character of text) {
    const digit = DIGITS.indexOf(character);
    value |= (digit & 31) << shift;
    shift += 5;
    if (digit & 32) continue;
    numbers.push(value & 1 ? -(value >>> 1) : value >>> 1);
    [value, shift] = [0, 0];
  }
  return numbers;
}
