import { types } from "node:util";

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
  /** The JSON text that is passed as it is. */
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Marks a text as JSON already, for numbers and spellings that no value of JavaScript has. */
export function rawJson(text: string): RawJson {
  return new RawJson(text);
}

/** A value, or a part of it, has no form in JSON: nothing is dropped or changed in silence. */
export class EncodeError extends TypeError {
  override name = "EncodeError";
  /** Where it stands, as in `$.items[1].when`. */
  readonly place: string;
  /** What stands there, as in `NaN`. */
  readonly what: string;

  constructor(place: string, what: string, options?: ErrorOptions) {
    super(`${place} is ${what}`, options);
    this.place = place;
    this.what = what;
  }
}

/**
 * Returns the JSON text of a value; of undefined, which the library reads as absent, undefined.
 *
 * As `JSON.stringify` has it, `toJSON` is asked, an undefined member of an object is left out, and
 * undefined in an array is null. What it would drop or change besides is an {@link EncodeError}.
 */
export function toJson(value: unknown): string | undefined {
  return new Encoder().encode(value, "");
}

/** Returns the value of a JSON text that the library gave. */
export function fromJson<T = Json>(text: string): T {
  return JSON.parse(text) as T;
}

/** Levels above which a value is refused here: the library's limit is lower, the stack's not far. */
const LEVELS_MAX = 500;

const NO_FORM = "which has no form in JSON";

/** Stands for what a sparse array does not have. */
const HOLE = Symbol("hole");

/** Writes one value; a class, so that an error can say where it came to. */
export class Encoder {
  readonly #path: (string | number)[] = [];
  readonly #within: object[] = [];

  encode(given: unknown, key: string): string | undefined {
    const value = unboxed(this.#ownForm(given, key));
    switch (typeof value) {
      case "string":
        return JSON.stringify(value);
      case "boolean":
        return String(value);
      case "number":
        return this.number(value);
      case "bigint":
        return this.bigint(value);
      case "undefined":
        return undefined;
      case "object":
        return value === null ? "null" : this.#object(value);
      default:
        throw this.refusal(value === HOLE ? "an empty place" : `a ${typeof value}, ${NO_FORM}`);
    }
  }

  /** What `toJSON` says stands for a value; the value itself if it has none. */
  #ownForm(value: unknown, key: string): unknown {
    const mayHave = (typeof value === "object" && value !== null) || typeof value === "function";
    if (!mayHave) return value;
    if (types.isDate(value) && Number.isNaN(value.getTime())) {
      throw this.refusal(`an invalid Date, ${NO_FORM}`);
    }
    const said = this.#ask("toJSON", () => {
      const { toJSON } = value as { toJSON?: unknown };
      return typeof toJSON === "function" ? [toJSON.call(value, key)] : undefined;
    });
    return said ? said[0] : value;
  }

  protected number(value: number): string {
    if (!Number.isFinite(value)) throw this.refusal(`${value}, ${NO_FORM}`);
    return Object.is(value, -0) ? "-0" : String(value);
  }

  protected bigint(value: bigint): string {
    if (Number.isSafeInteger(Number(value))) return String(value);
    const why = "beyond what a JSON number holds exactly; pass a text, or rawJson(...)";
    throw this.refusal(`${value}, ${why}`);
  }

  #object(value: object): string {
    const isRaw = this.#ask("its prototype", () => value instanceof RawJson);
    if (isRaw) return (value as RawJson).text;
    const same = this.#within.indexOf(value);
    if (same >= 0) throw this.refusal(`${placeOf(this.#path.slice(0, same))} again: a cycle`);
    if (this.#within.length === LEVELS_MAX) throw this.refusal("nested too deep");
    this.#within.push(value);
    const isArray = this.#ask("its kind", () => Array.isArray(value));
    const text = isArray ? this.#array(value as unknown[]) : this.#members(value);
    this.#within.pop();
    return text;
  }

  #array(value: readonly unknown[]): string {
    const items: string[] = [];
    const length = this.#ask("its length", () => value.length);
    for (let at = 0; at < length; at += 1) {
      items.push(this.#part(at, () => (at in value ? value[at] : HOLE)) ?? "null");
    }
    return `[${items.join(",")}]`;
  }

  #members(value: object): string {
    const keys = this.#ask("its list of keys", () => Object.keys(value));
    const opaque = this.#ask("its prototype", () => opaqueKind(value, keys));
    if (opaque) throw this.refusal(`${opaque}, ${NO_FORM}`);
    const members: string[] = [];
    for (const key of keys) {
      const text = this.#part(key, () => (value as Record<string, unknown>)[key]);
      if (text !== undefined) members.push(`${JSON.stringify(key)}:${text}`);
    }
    return `{${members.join(",")}}`;
  }

  #part(key: string | number, read: () => unknown): string | undefined {
    this.#path.push(key);
    const text = this.encode(this.#ask("a getter", read), String(key));
    this.#path.pop();
    return text;
  }

  /** Runs code that the value brings along, which may throw. */
  #ask<T>(what: string, read: () => T): T {
    try {
      return read();
    } catch (cause) {
      throw this.refusal(`unreadable: ${what} threw`, cause);
    }
  }

  protected refusal(what: string, cause?: unknown): EncodeError {
    const options = cause === undefined ? undefined : { cause };
    return new EncodeError(placeOf(this.#path), what, options);
  }
}

function placeOf(path: readonly (string | number)[]): string {
  const part = (key: string | number): string => {
    if (typeof key === "number") return `[${key}]`;
    return /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
  };
  return `$${path.map(part).join("")}`;
}

function unboxed(value: unknown): unknown {
  return types.isBoxedPrimitive(value) ? value.valueOf() : value;
}

/**
 * Names an object of which JSON would keep nothing, or not what it is. An instance of a class is the
 * object of its fields; one without any most likely hides what it holds.
 */
function opaqueKind(value: object, keys: readonly string[]): string | undefined {
  const prototype: unknown = Object.getPrototypeOf(value);
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
  if (isPlain) return undefined;
  if (types.isPromise(value)) return "a Promise that was not awaited";
  const isOpaque =
    keys.length === 0 || value instanceof Error || OPAQUE.some((holds) => holds(value));
  const { name } = (value as { constructor?: { name?: unknown } }).constructor ?? {};
  return isOpaque ? `an object of ${String(name || "a class")}` : undefined;
}

const OPAQUE: readonly ((value: unknown) => boolean)[] = [
  types.isMap,
  types.isSet,
  types.isWeakMap,
  types.isWeakSet,
  types.isRegExp,
  types.isNativeError,
  types.isAnyArrayBuffer,
  ArrayBuffer.isView,
  types.isGeneratorObject,
];
