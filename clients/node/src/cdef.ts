/** Reads smolwf.cdef, the header without preprocessor: the client knows the library from it alone. */

/** A named C type: a field of a struct, or a parameter of a function. */
export interface Member {
  readonly type: string;
  readonly name: string;
}

export interface CFunction {
  readonly name: string;
  readonly result: string;
  readonly parameters: readonly Member[];
}

export interface CHeader {
  readonly constants: ReadonlyMap<string, bigint>;
  readonly opaques: readonly string[];
  readonly structs: ReadonlyMap<string, readonly Member[]>;
  readonly functions: ReadonlyMap<string, CFunction>;
}

const ENUM = /^enum \{(.*)\}$/;
const CONSTANT = /^(\w+) = (-?\d+)$/;
/** How the file writes 2^64 - 1, so that a reader with enums of 32 bits takes it too. */
const ALL_ONES = /^(\w+) = \(1 << 16 << 16 << 16 << 16\) - 1$/;
const OPAQUE = /^typedef struct (\w+) \1$/;
const STRUCT = /^typedef struct (\w+) \{(.*)\} \1$/;
const FUNCTION = /^(.+?[\s*])(\w+)\((.*)\)$/;
const MEMBER = /^(.+?)(\w+)$/;

function member(text: string): Member {
  const [, type, name] = MEMBER.exec(text.trim()) ?? [];
  if (type === undefined || name === undefined) throw new Error(`not a C member: ${text}`);
  // One space before the stars, none between or after them.
  return {
    type: type.trim().replace(/[\s*]*\*$/, (stars) => ` ${stars.replace(/\s/g, "")}`),
    name,
  };
}

function members(text: string, separator: string): Member[] {
  const parts = text.split(separator).map((part) => part.trim());
  return parts.filter((part) => part !== "" && part !== "void").map(member);
}

function constant(text: string): [string, bigint] {
  const [, name, value] = CONSTANT.exec(text) ?? [];
  if (name !== undefined && value !== undefined) return [name, BigInt(value)];
  const [, wide] = ALL_ONES.exec(text) ?? [];
  if (wide === undefined) throw new Error(`not a constant: ${text}`);
  return [wide, (1n << 64n) - 1n];
}

/** Splits after each `;` that is outside of braces; one line each, blanks folded. */
function statements(text: string): string[] {
  const folded = text.replace(/\s+/g, " ");
  return (folded.match(/[^;{]+(\{[^}]*\})?[^;{]*;/g) ?? []).map((one) => one.slice(0, -1).trim());
}

/** Parses the whole file; a declaration that is not understood is an error, never skipped. */
export function parseHeader(text: string): CHeader {
  const constants = new Map<string, bigint>();
  const opaques: string[] = [];
  const structs = new Map<string, Member[]>();
  const functions = new Map<string, CFunction>();
  for (const statement of statements(text)) {
    const enumerators = ENUM.exec(statement)?.[1];
    const opaque = OPAQUE.exec(statement);
    const struct = STRUCT.exec(statement);
    const func = FUNCTION.exec(statement);
    if (enumerators) {
      const pairs = enumerators.split(",").map((one) => constant(one.trim()));
      for (const [name, value] of pairs) constants.set(name, value);
    } else if (opaque?.[1]) {
      opaques.push(opaque[1]);
    } else if (struct?.[1]) {
      structs.set(struct[1], members(struct[2] ?? "", ";"));
    } else if (func?.[1] && func[2]) {
      const [, result, name] = func;
      const parameters = members(func[3] ?? "", ",");
      functions.set(name, { name, result: member(`${result}x`).type, parameters });
    } else {
      throw new Error(`not a declaration: ${statement}`);
    }
  }
  return { constants, opaques, structs, functions };
}
