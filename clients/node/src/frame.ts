import type { Member } from "./cdef.js";
import { Handle } from "./handle.js";
import type { Library } from "./library.js";
import { addressOf, type Cells, cells, textBytes } from "./memory.js";
import { fromC, type Integer, toC } from "./numbers.js";
import type { Slot } from "./shape.js";

/** The fields of an options struct by their C names; what is left out is zero, its default. */
export type Options = Readonly<Record<string, unknown>>;

/**
 * The arguments of one call as koffi takes them, and its outputs. Lives until the call has returned,
 * and so do the handles it entered and the memory its outputs are written to.
 */
export class Frame {
  readonly library: Library;
  readonly name: string;
  readonly values: unknown[] = [];
  readonly #handles: Handle[] = [];
  readonly #integers: Cells[] = [];
  /** What a struct of options points to. */
  readonly #texts: Uint8Array[] = [];
  #id: Buffer | undefined;
  #text: Cells | undefined;
  #object: Cells | undefined;
  #objects: Cells | undefined;
  #error: Cells | undefined;

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
    return pointer(this.#error);
  }

  text(take: (pointer: bigint) => string): string | undefined {
    if (this.#id) return this.#id.toString("latin1", 0, this.#id.indexOf(0)) || undefined;
    const text = pointer(this.#text);
    return text === undefined ? undefined : take(text);
  }

  pointer(): bigint | undefined {
    return pointer(this.#object);
  }

  pointers(): bigint[] {
    return Array.from(this.#objects ?? [], BigInt).filter((one) => one !== 0n);
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
    if (slot.kind === "out_length") this.values.push(null);
    else if (slot.kind === "out_id") {
      this.#id = Buffer.alloc(this.library.constant("SW_ID_CAP"));
      this.values.push(this.#id, this.#id.length);
    } else if (slot.kind === "out_integer") {
      const cell = cells(slot.type);
      this.#integers.push(cell);
      this.values.push(cell);
    } else if (slot.kind === "out_handles") {
      // The caller's array is as long as the input before it says.
      this.#objects = this.#out(Number(inputs.at(-1)));
    } else if (slot.kind === "out_error") this.#error = this.#out();
    else if (slot.kind === "out_text") this.#text = this.#out();
    else if (slot.kind === "out_handle") this.#object = this.#out();
    else return false;
    return true;
  }

  #out(count = 1): Cells {
    const pointers = cells("pointer", count);
    this.values.push(pointers);
    return pointers;
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

  #options(struct: string, input: unknown): Uint8Array | null {
    if (input === undefined || input === null) return null;
    const given = input as Options;
    const layout = this.library.layout(struct);
    const unknown = Object.keys(given).find(
      (key) => !layout.fields.some(({ name }) => name === key),
    );
    if (unknown) throw this.#invalid(unknown, `field of ${struct}`);
    const packed = new Map<string, Integer>();
    for (const field of layout.fields) {
      if (!packed.has(field.name)) this.#field(field, given[field.name], packed);
    }
    return layout.pack(packed);
  }

  #field({ name, type }: Member, value: unknown, packed: Map<string, Integer>): void {
    if (type === "const char *") {
      const [text, length] = this.#pair(name, value);
      packed.set(name, text === null ? 0 : this.#hold(text));
      packed.set(`${name}_len`, length);
    } else if (type.endsWith("*")) packed.set(name, this.#enter(name, value) ?? 0);
    else packed.set(name, this.#integer({ name, type }, value));
  }

  #hold(text: string): bigint {
    const bytes = textBytes(text);
    this.#texts.push(bytes);
    return addressOf(bytes);
  }

  #invalid(name: string, wanted: string): Error {
    return this.library.error("SW_ERR_INVALID", `${this.name}: ${name} is no ${wanted}`);
  }
}

/** The one that was set. */
function pointer(cells: Cells | undefined): bigint | undefined {
  const value = cells?.[0];
  return value ? BigInt(value) : undefined;
}

/** Node 20 has the method, the types of ES2023 do not. */
function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed();
}
