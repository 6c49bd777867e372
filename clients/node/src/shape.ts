import type { CFunction, CHeader, Member } from "./cdef.js";
import { isIntegerType } from "./numbers.js";

/** How one C parameter, or a pair of them, is met from JavaScript. Inputs take one argument each. */
export type Slot =
  /** pointer and length: a text, or absent */
  | { kind: "text"; name: string }
  /** a text that ends with NUL: a path */
  | { kind: "path"; name: string }
  | { kind: "integer"; name: string; type: string }
  | { kind: "handle"; name: string; of: string }
  | { kind: "options"; name: string; of: string }
  /** outputs, which take no argument */
  | { kind: "out_id" | "out_handle" | "out_handles" | "out_text" | "out_error"; name: string }
  | { kind: "out_integer"; name: string; type: string }
  /** the length of a view, which is not needed: views end with NUL */
  | { kind: "out_length"; name: string };

const POINTER = /^(?:const )?(\w+) \*$/;
const POINTER_OUT = /^(\w+) \*\*$/;

/** Returns the name of a pointed-to struct or opaque object. */
export function pointee(type: string): string | undefined {
  return POINTER.exec(type)?.[1];
}

function textSlot(one: Member, next: Member | undefined): Slot | undefined {
  if (one.type !== "const char *") return undefined;
  return { kind: next?.name === `${one.name}_len` ? "text" : "path", name: one.name };
}

function objectOut(one: Member, hasCount: boolean): Slot | undefined {
  const of = POINTER_OUT.exec(one.type)?.[1];
  if (of === "sw_error") return { kind: "out_error", name: one.name };
  if (of === "sw_text") return { kind: "out_text", name: one.name };
  if (of && hasCount) return { kind: "out_handles", name: one.name };
  return of ? { kind: "out_handle", name: one.name } : undefined;
}

function pointerSlot(one: Member, header: CHeader): Slot | undefined {
  const { name, type } = one;
  const of = pointee(type);
  if (of === "char") return { kind: "out_id", name };
  if (of === "size_t") return { kind: "out_length", name };
  if (of && isIntegerType(of)) return { kind: "out_integer", name, type: of };
  if (of && header.structs.has(of)) return { kind: "options", name, of };
  if (of && header.opaques.includes(of)) return { kind: "handle", name, of };
  return undefined;
}

/** Returns the slots of a function, by the habits of the header. */
export function shapeOf(declared: CFunction, header: CHeader): Slot[] {
  const all = declared.parameters;
  const hasCount = all.some((one) => one.name === "out_count");
  const slots: Slot[] = [];
  for (const [at, one] of all.entries()) {
    const before = slots.at(-1);
    const isLength = before?.kind === "text" && one.name === `${before.name}_len`;
    if (isLength || (before?.kind === "out_id" && one.name === "cap")) continue;
    const slot = isIntegerType(one.type)
      ? ({ kind: "integer", name: one.name, type: one.type } as const)
      : (textSlot(one, all[at + 1]) ?? objectOut(one, hasCount) ?? pointerSlot(one, header));
    if (!slot) throw new Error(`${declared.name}: ${one.type} ${one.name} has no known shape`);
    slots.push(slot);
  }
  return slots;
}

export function isOutput(slot: Slot): boolean {
  return slot.kind.startsWith("out_");
}
