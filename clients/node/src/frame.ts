import type { Member } from "./cdef.js";
import { Handle } from "./handle.js";
import type { Library } from "./library.js";
import { fromC, type Integer, toC } from "./numbers.js";
import type { Slot } from "./shape.js";

/** The fields of an options struct by their C names; what is left out is zero, its default. */
export type Options = Readonly<Record<string, unknown>>;

type Cell<T> = [T | null];

/**
 * The arguments of one call as koffi takes them, and its outputs. Lives until the call has returned,
 * and so do the handles it entered and the memory its outputs are written to.
 */
export class Frame {
  readonly library: Library;
  readonly name: string;
  readonly values: unknown[] = [];
  readonly #handles: Handle[] = [];
  readonly #integers: Cell<Integer>[] = [];
  #id: Buffer | undefined;
  #text: Cell<bigint> | undefined;
  #object: Cell<bigint> | undefined;
  #objects: (bigint | null)[] | undefined;
  #error: Cell<bigint> | undefined;

  constructor(library: Library, name: string, slots: readonly Slot[], inputs: readonly unknown[]) {
    this.library = library;
    this.name = name;
    let at = 0;
    try {
      for (const slot of slots) {
        if (!this.#addOutput(slot, inputs)) this.#addInput(slot, inputs[at++]);
      }
    } catch (error) {
      this.leave();
      throw error;
    }
  }

  /** Lets go of the handles; called once, when the call has returned. */
  leave(): void {
    for (const handle of this.#handles.splice(0)) handle.leave();
  }

  errorPointer(): bigint | undefined {
    return this.#error?.[0] ?? undefined;
  }

  text(take: (pointer: bigint) => string): string | undefined {
    if (this.#id) return this.#id.toString("latin1", 0, this.#id.indexOf(0)) || undefined;
    return this.#text?.[0] ? take(this.#text[0]) : undefined;
  }

  pointer(): bigint | undefined {
    return this.#object?.[0] ?? undefined;
  }

  pointers(): bigint[] {
    return (this.#objects ?? []).filter((one) => one !== null);
  }

  integers(): Integer[] {
    return this.#integers.map(([value]) => fromC(value ?? 0));
  }

  #addInput(slot: Slot, input: unknown): void {
    if (slot.kind === "text") this.values.push(...this.#pair(slot.name, input));
    else if (slot.kind === "path") this.values.push(this.#path(slot.name, input));
    else if (slot.kind === "integer") this.values.push(this.#integer(slot, input));
    else if (slot.kind === "handle") this.values.push(this.#enter(slot.name, input));
    else if (slot.kind === "options") this.values.push(this.#options(slot.of, input));
  }

  #addOutput(slot: Slot, inputs: readonly unknown[]): boolean {
    const cell: [null] = [null];
    if (slot.kind === "out_error") this.#error = cell;
    else if (slot.kind === "out_text") this.#text = cell;
    else if (slot.kind === "out_handle") this.#object = cell;
    else if (slot.kind === "out_integer") this.#integers.push(cell);
    else if (slot.kind === "out_handles") {
      // The caller's array is as long as the input before it says.
      this.#objects = new Array(Number(inputs.at(-1))).fill(null);
      this.values.push(this.#objects);
      return true;
    } else if (slot.kind === "out_id") {
      this.#id = Buffer.alloc(this.library.constant("SW_ID_CAP"));
      this.values.push(this.#id, this.#id.length);
      return true;
    } else if (slot.kind !== "out_length") return false;
    this.values.push(slot.kind === "out_length" ? null : cell);
    return true;
  }

  /** Text and its length in bytes; absent is NULL and 0. */
  #pair(name: string, input: unknown): [string | null, number] {
    if (input === undefined || input === null) return [null, 0];
    if (typeof input !== "string") throw this.#invalid(name, "text");
    // Half of a surrogate pair would be changed on its way, and two names become one.
    if (!isWellFormed(input)) throw this.#invalid(name, "Unicode: a surrogate lacks its partner");
    return [input, Buffer.byteLength(input)];
  }

  /** Ends at its NUL for C: with another one in it, it would be another path. */
  #path(name: string, input: unknown): string {
    const isPath = typeof input === "string" && isWellFormed(input) && !input.includes("\0");
    if (!isPath) throw this.#invalid(name, "path");
    return input;
  }

  #integer(slot: { name: string; type: string }, input: unknown): Integer {
    const value = toC(input ?? 0, slot.type);
    if (value === undefined) throw this.#invalid(slot.name, `integer of ${slot.type}`);
    return value;
  }

  #enter(name: string, input: unknown): bigint | null {
    if (input === undefined || input === null) return null;
    if (typeof input === "bigint") return input;
    if (!(input instanceof Handle)) throw this.#invalid(name, "handle");
    const pointer = input.enter();
    if (pointer === undefined) {
      throw this.library.error("SW_ERR_CLOSED", `${this.name}: the ${input.kind} is closed`);
    }
    this.#handles.push(input);
    return pointer;
  }

  #options(struct: string, input: unknown): Record<string, unknown> | null {
    if (input === undefined || input === null) return null;
    const given = input as Options;
    const fields = this.library.header.structs.get(struct) ?? [];
    const packed: Record<string, unknown> = {};
    const unknown = Object.keys(given).find((key) => !fields.some(({ name }) => name === key));
    if (unknown) throw this.#invalid(unknown, `field of ${struct}`);
    for (const field of fields) {
      if (field.name in packed) continue;
      Object.assign(packed, this.#field(field, given[field.name]));
    }
    packed["struct_size"] = this.library.sizeOf(struct);
    return packed;
  }

  #field(field: Member, value: unknown): Record<string, unknown> {
    const { name, type } = field;
    if (type === "const char *") {
      const [text, length] = this.#pair(name, value);
      return { [name]: text, [`${name}_len`]: length };
    }
    const isPointer = type.endsWith("*");
    return { [name]: isPointer ? this.#enter(name, value) : this.#integer(field, value) };
  }

  #invalid(name: string, wanted: string): Error {
    return this.library.error("SW_ERR_INVALID", `${this.name}: ${name} is no ${wanted}`);
  }
}

/** Node 20 has the method, the types of ES2023 do not. */
function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed();
}
