import { NondeterminismError } from "../errors.js";

/** What a replay that went another way than what is recorded did. */
export type RefusalKind = "input_changed" | "not_recorded" | "not_replayed";

/** A refusal of the library that says so. */
export interface Refusal {
  kind: RefusalKind;
  /** The step, sleep, await or child. */
  name: string;
  /** The library's sentence. */
  text: string;
}

/** Returns what the sentence of a NondeterminismError says: the library has one code for all. */
export function refusalOf(text: string): Refusal {
  const isInput = text.includes("input hash") || text.includes("a sleep at index");
  const kind = isInput
    ? "input_changed"
    : text.includes("only replays")
      ? "not_recorded"
      : "not_replayed";
  const [, quoted = ""] = /"((?:[^"\\]|\\.)*)"/.exec(text) ?? [];
  const name = quoted.replace(/\\(?:u\{([0-9a-f]+)\}|(.))/g, unescaped);
  return { kind, name, text };
}

/** The same of something that was recorded or thrown; undefined if it is none. */
export function refusalIn(error: unknown): Refusal | undefined {
  if (error instanceof NondeterminismError) return refusalOf(error.message);
  const { type, message } = (error ?? {}) as { type?: unknown; message?: unknown };
  const isRefusal = type === "SW_ERR_NONDETERMINISM" && typeof message === "string";
  return isRefusal ? refusalOf(message) : undefined;
}

const LETTERS: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", 0: "\0" };

/** What an escape of Rust stands for: the library quotes names by its rules. */
function unescaped(_: string, code: string | undefined, letter = ""): string {
  if (code !== undefined) return String.fromCodePoint(Number.parseInt(code, 16));
  return LETTERS[letter] ?? letter;
}
