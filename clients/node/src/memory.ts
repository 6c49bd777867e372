/**
 * Memory that C reads and writes. It goes to koffi as bytes: when a thread is terminated, what would
 * look into an object or an array of JavaScript fails there, and the whole process with it.
 */
import { endianness } from "node:os";
import koffi from "koffi";
import type { Member } from "./cdef.js";
import type { Integer } from "./numbers.js";

export type Cells = Int32Array | Uint32Array | BigInt64Array | BigUint64Array;

const IS_LITTLE = endianness() === "LE";

/** Integers of a C type, or pointers, all 0. */
export function cells(type: string, count = 1): Cells {
  if (type === "int32_t") return new Int32Array(count);
  if (type === "uint32_t") return new Uint32Array(count);
  return type === "int64_t" ? new BigInt64Array(count) : new BigUint64Array(count);
}

/** A text that ends with NUL. C may read it for as long as this is held. */
export function textBytes(text: string): Uint8Array {
  return Buffer.from(`${text}\0`);
}

export function addressOf(bytes: Uint8Array): bigint {
  return koffi.address(bytes);
}

/** Where the fields of a struct lie. */
export class Layout {
  readonly fields: readonly Member[];
  readonly #size: number;
  readonly #at: ReadonlyMap<string, number>;

  constructor(fields: readonly Member[]) {
    const cType = (type: string): string => (type.endsWith("*") ? "void *" : type);
    const struct = koffi.struct(
      Object.fromEntries(fields.map((one) => [one.name, cType(one.type)])),
    );
    this.fields = fields;
    this.#size = koffi.sizeof(struct);
    this.#at = new Map(fields.map(({ name }) => [name, koffi.offsetof(struct, name)]));
  }

  /** The struct with its size and these values; what is left out is 0. */
  pack(values: ReadonlyMap<string, Integer>): Uint8Array {
    const view = new DataView(new ArrayBuffer(this.#size));
    for (const { name, type } of this.fields) {
      const value = name === "struct_size" ? this.#size : (values.get(name) ?? 0);
      this.#write(view, this.#at.get(name) ?? 0, type, value);
    }
    return new Uint8Array(view.buffer);
  }

  #write(view: DataView, at: number, type: string, value: Integer): void {
    if (type === "int32_t") view.setInt32(at, Number(value), IS_LITTLE);
    else if (type === "uint32_t") view.setUint32(at, Number(value), IS_LITTLE);
    else if (type === "int64_t") view.setBigInt64(at, BigInt(value), IS_LITTLE);
    else view.setBigUint64(at, BigInt(value), IS_LITTLE);
  }
}
