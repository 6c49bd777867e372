/** What may be stored: any value that JSON has. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };

/** A JSON text given to the library byte for byte: see {@link rawJson}. */
export class RawJson {
  constructor(readonly text: string) {}
}

/** Marks a text as JSON already, for numbers and spellings that `JSON.stringify` cannot give. */
export function rawJson(text: string): RawJson {
  return new RawJson(text);
}

function safeBigint(_key: string, value: unknown): unknown {
  if (typeof value !== "bigint") return value;
  if (Number.isSafeInteger(Number(value))) return Number(value);
  throw new TypeError(`${value} is beyond what a JSON number holds exactly; pass rawJson(...)`);
}

/** Returns the JSON text of a value; of undefined, which the library reads as absent, undefined. */
export function toJson(value: unknown): string | undefined {
  if (value instanceof RawJson) return value.text;
  return JSON.stringify(value, safeBigint);
}

/** Returns the value of a JSON text that the library gave. */
export function fromJson<T = Json>(text: string): T {
  return JSON.parse(text) as T;
}
