/** The one place where 64-bit numbers cross: `number` while that is exact, `bigint` beyond. */

export type Integer = number | bigint;

const RANGES: ReadonlyMap<string, readonly [bigint, bigint]> = new Map([
  ["int32_t", [-(2n ** 31n), 2n ** 31n - 1n]],
  ["uint32_t", [0n, 2n ** 32n - 1n]],
  ["int64_t", [-(2n ** 63n), 2n ** 63n - 1n]],
  ["uint64_t", [0n, 2n ** 64n - 1n]],
  ["size_t", [0n, 2n ** 64n - 1n]],
] as const);

/** Returns an integer read from C as a number, or as a bigint where a number would not be exact. */
export function fromC(value: Integer): Integer {
  const isExact = value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;
  return isExact ? Number(value) : BigInt(value);
}

/** Returns an integer fit for a C type, or undefined if it is no integer or out of range. */
export function toC(value: unknown, type: string): Integer | undefined {
  const range = RANGES.get(type);
  const isInteger = typeof value === "bigint" || Number.isInteger(value);
  if (!range || !isInteger) return undefined;
  const exact = BigInt(value as Integer);
  if (exact < range[0] || exact > range[1]) return undefined;
  return fromC(exact);
}

export function isIntegerType(type: string): boolean {
  return RANGES.has(type);
}

/** A string of JSON, or an integer that a number may not hold: 16 digits and more. */
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d{16,}(?![\d.eE])/g;

/** Parses a document of numbers, in which no string is a number, and loses no digit of an integer. */
export function parseExactly(text: string): unknown {
  const quoted = text.replace(TOKENS, (token) => (token[0] === '"' ? token : `"${token}"`));
  return JSON.parse(quoted, (_key, value) =>
    typeof value === "string" && /^-?\d{16,}$/.test(value) ? fromC(BigInt(value)) : value,
  );
}
