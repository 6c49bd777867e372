/** Values of SQL as JSON has them: integers to 64 bits; `{"$base64": "..."}`, `{"$real": "Infinity"}`. */
import { randomUUID } from "node:crypto";
import { types } from "node:util";
import { EncodeError, Encoder } from "./json.js";
import { fromC, type Integer } from "./numbers.js";

/** A value of a column. An integer is a `number` while that is exact, else a `bigint`. */
export type SqlValue = null | Integer | string | Uint8Array;

/** A value for a statement: a whole `number` to 2^53 and a `bigint` are INTEGER, other numbers REAL. */
export type SqlParam = SqlValue | boolean;

/** By position for `?`, or by name: `{ id: 1 }` for `:id`, `@id` or `$id`. */
export type SqlParams = readonly SqlParam[] | { readonly [name: string]: SqlParam };

/** What a query answers. */
export interface Rows<Row extends readonly SqlValue[] = SqlValue[]> {
  /** Their names, as SQLite gives them; may repeat. */
  columns: string[];
  /** Each row's values, in the order of `columns`. */
  rows: Row[];
  /** There were more rows than are here: ask on from the last key. */
  more: boolean;
}

/** Of `store.query`. */
export interface QueryOptions {
  /** Rows after which the answer ends: 1000, at most 10,000. */
  rowsMax?: number;
  /** Milliseconds after which the query is given up: 5000, at most an hour. */
  timeoutMs?: number;
}

/** Returns the JSON text of parameters. */
export function paramsText(params: SqlParams | undefined): string | undefined {
  if (params === undefined) return undefined;
  if (Array.isArray(params)) {
    const texts = Array.from(params, (one, at) => paramText(one, `params[${at}]`));
    return `[${texts.join(",")}]`;
  }
  const isList = typeof params !== "object" || params === null || types.isUint8Array(params);
  if (isList) throw new EncodeError("params", "neither an array nor an object of names");
  const texts = Object.entries(params).map(([name, one]) => {
    const key = JSON.stringify(name);
    return `${key}:${paramText(one, `params[${key}]`)}`;
  });
  return `{${texts.join(",")}}`;
}

function paramText(value: unknown, place: string): string {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "string") return JSON.stringify(value);
  if (types.isUint8Array(value)) return bytesText(value);
  if (typeof value === "bigint") {
    if (is64(value)) return String(value);
    throw new EncodeError(place, `${value}, beyond the integers of 64 bits`);
  }
  if (typeof value === "number") {
    if (Number.isNaN(value)) throw new EncodeError(place, "NaN, which SQL has no value for");
    return numberText(value);
  }
  const takes = "SQL takes null, boolean, number, bigint, string and Uint8Array";
  throw new EncodeError(place, `${kindOf(value)}: ${takes}`);
}

function kindOf(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  return `an object of ${value.constructor?.name ?? "a class"}`;
}

const is64 = (value: bigint): boolean => BigInt.asIntN(64, value) === value;

/**
 * A whole number is written without a fraction only while it is exact: there it is an integer. Those
 * without end are in no JSON.
 */
function numberText(value: number): string {
  if (Object.is(value, -0)) return "-0.0";
  if (!Number.isFinite(value)) return `{"$real":"${value}"}`;
  const text = String(value);
  return Number.isSafeInteger(value) || /[.e]/.test(text) ? text : `${text}e0`;
}

function bytesText(bytes: Uint8Array): string {
  const { buffer, byteOffset, byteLength } = bytes;
  return `{"$base64":"${Buffer.from(buffer, byteOffset, byteLength).toString("base64")}"}`;
}

/** JSON with bytes and with integers of 64 bits in it. */
class SqlEncoder extends Encoder {
  override encode(given: unknown, key: string): string | undefined {
    return types.isUint8Array(given) ? bytesText(given) : super.encode(given, key);
  }

  protected override number(value: number): string {
    return Number.isNaN(value) ? super.number(value) : numberText(value);
  }

  protected override bigint(value: bigint): string {
    if (is64(value)) return String(value);
    throw this.refusal(`${value}, beyond the integers of 64 bits`);
  }
}

/** {@link toJson}, with bytes and integers as rows have them. */
export function toSqlJson(value: unknown): string | undefined {
  return new SqlEncoder().encode(value, "");
}

/** Stands before the digits of an integer that no number holds; nobody else writes it. */
const WIDE = randomUUID();

/** The inverse of {@link toSqlJson}. */
export function fromSqlJson<T>(text: string): T {
  const marked = /\d{16}/.test(text) ? markWide(text) : text;
  const isPlain = marked === text && !/"\$(base64|real)"/.test(text);
  return JSON.parse(marked, isPlain ? undefined : revive) as T;
}

function revive(_key: string, value: unknown): unknown {
  if (typeof value === "string") {
    return value.startsWith(WIDE) ? fromC(BigInt(value.slice(WIDE.length))) : value;
  }
  if (typeof value !== "object" || value === null) return value;
  const [[key, told] = [], ...others] = Object.entries(value);
  if (typeof told !== "string" || others.length > 0) return value;
  if (key === "$base64") return new Uint8Array(Buffer.from(told, "base64"));
  return key === "$real" ? Number(told) : value;
}

/** The next string or number. */
const TOKEN = /"|-?\d[\d.eE+-]*/g;
const WIDE_INTEGER = /^-?\d{16,}$/;

/** Turns integers of many digits into strings that are marked. */
function markWide(text: string): string {
  const parts: string[] = [];
  const token = new RegExp(TOKEN);
  let done = 0;
  for (let found = token.exec(text); found; found = token.exec(text)) {
    const [digits] = found;
    if (digits === '"') token.lastIndex = afterString(text, found.index);
    else if (WIDE_INTEGER.test(digits)) {
      parts.push(text.slice(done, found.index), `"${WIDE}${digits}"`);
      done = token.lastIndex;
    }
  }
  return [...parts, text.slice(done)].join("");
}

/** Returns where a string that begins at `start` is over. */
function afterString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let slashes = 0;
    while (text[end - 1 - slashes] === "\\") slashes += 1;
    if (slashes % 2 === 0) return end + 1;
  }
  return text.length;
}
