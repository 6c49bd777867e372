import { readFileSync } from "node:fs";
import koffi, { type LibraryHandle } from "koffi";
import { type CFunction, type CHeader, parseHeader } from "./cdef.js";
import { classOf, type SmolwfError } from "./errors.js";
import { Frame } from "./frame.js";
import { findHeader, findLibraries, unserved } from "./locate.js";
import { Layout } from "./memory.js";
import { fromC, type Integer } from "./numbers.js";
import { type Slot, shapeOf } from "./shape.js";
import { Turns } from "./turns.js";

type Native = ReturnType<LibraryHandle["func"]>;

interface Bound {
  readonly native: Native;
  readonly slots: readonly Slot[];
}

/** What a call answered: the name of its code, and its outputs. */
export interface Answer {
  readonly code: string;
  /** A text, or an id. */
  readonly text: string | undefined;
  /** The pointer of an object that now belongs to the caller. */
  readonly pointer: bigint | undefined;
  readonly pointers: readonly bigint[];
  readonly integers: readonly Integer[];
}

/**
 * The library as its header declares it. All functions are bound when it is loaded: it is there that
 * koffi makes objects, and a thread that is terminated meanwhile takes the process with it.
 */
export class Library {
  readonly header: CHeader;
  readonly path: string;
  readonly #native: LibraryHandle;
  readonly #layouts = new Map<string, Layout>();
  readonly #bound = new Map<string, Bound>();
  readonly #codeNames = new Map<number, string>();
  readonly #turns = new Turns();

  constructor(paths: readonly string[], headerPath: string) {
    this.header = parseHeader(readFileSync(headerPath, "utf8"));
    [this.path, this.#native] = loadFirst(paths);
    for (const [name, fields] of this.header.structs) this.#layouts.set(name, new Layout(fields));
    this.#checkVersion();
    this.#bindAll();
  }

  /** An ABI stays what it is, but for 0, which may change with each minor version. */
  #checkVersion(): void {
    const abi = this.constant("SW_ABI_VERSION");
    const minor = (version: unknown): number => Number(version) >> 8;
    const isNear =
      minor(this.ask("sw_version_number")) === minor(this.constant("SW_VERSION_NUMBER"));
    if (this.ask("sw_abi_check", abi) === 0 && (abi !== 0 || isNear)) return;
    const sentence = `${this.path} does not fit: ${this.#versions()}; use those of one version`;
    throw this.error("SW_ERR_UNSUPPORTED", sentence);
  }

  /** What the library is, and what the package was made for. */
  #versions(): string {
    const dotted = (version: number): string =>
      `${version >> 16}.${(version >> 8) & 255}.${version & 255}`;
    const its = dotted(Number(this.ask("sw_version_number")));
    const ours = dotted(this.constant("SW_VERSION_NUMBER"));
    return (
      `the library is smolwf ${its} (ABI ${this.ask("sw_abi_version")}), ` +
      `this package is for ${ours} (ABI ${this.constant("SW_ABI_VERSION")})`
    );
  }

  /** Returns a constant of the header. */
  constant(name: string): number {
    const value = this.header.constants.get(name);
    if (value === undefined) throw new Error(`${name} is not in smolwf.cdef`);
    return Number(value);
  }

  /** Calls a function that never blocks, and throws what it answers below 0. */
  call(name: string, ...inputs: readonly unknown[]): Answer {
    const { native, slots } = this.#bind(name);
    const frame = new Frame(this, name, slots, inputs);
    try {
      return this.#answer(frame, native(...frame.values) as number);
    } finally {
      frame.leave();
    }
  }

  /** Calls a function that may block, on a thread of libuv's pool. */
  async callLater(name: string, ...inputs: readonly unknown[]): Promise<Answer> {
    const { native, slots } = this.#bind(name);
    const frame = new Frame(this, name, slots, inputs);
    try {
      const code = await new Promise<number>((resolve, reject) => {
        this.#turns.add(name, inputs, (done) => {
          const settle = (error: Error | null, result: number): void => {
            done();
            if (error) reject(error);
            else resolve(result);
          };
          try {
            native.async(...frame.values, settle);
          } catch (error) {
            settle(error as Error, 0);
          }
        });
      });
      return this.#answer(frame, code);
    } finally {
      frame.leave();
    }
  }

  /** Asks an accessor: a function whose result is no code. */
  ask(name: string, ...inputs: readonly unknown[]): unknown {
    const { native, slots } = this.#bind(name);
    const frame = new Frame(this, name, slots, inputs);
    try {
      const result: unknown = native(...frame.values);
      return typeof result === "bigint" ? fromC(result) : result;
    } finally {
      frame.leave();
    }
  }

  /** The same for those that give up a pointer of the caller's and return nothing. */
  release(name: string, pointer: bigint): void {
    this.#bind(name).native(pointer);
  }

  /** Returns `release` of one function; apart, so that it holds nothing that is to be collected. */
  releasing(name: string): (pointer: bigint) => void {
    return (pointer) => this.release(name, pointer);
  }

  /** The same on a thread of the pool. */
  releaseLater(name: string, pointer: bigint): Promise<void> {
    const { native } = this.#bind(name);
    return new Promise((resolve) => {
      this.#turns.add(name, [], (done) => {
        native.async(pointer, () => {
          done();
          resolve();
        });
      });
    });
  }

  /** Whether the library that was found has the function; an older one may not. */
  has(name: string): boolean {
    try {
      return this.#bind(name) !== undefined;
    } catch {
      return false;
    }
  }

  /** The function as koffi gives it, for whoever measures what a call costs. */
  native(name: string): Native {
    return this.#bind(name).native;
  }

  layout(struct: string): Layout {
    const layout = this.#layouts.get(struct);
    if (!layout) throw new Error(`${struct} is not declared in smolwf.cdef`);
    return layout;
  }

  /** An error found on this side of the door, in the form of the library's own. */
  error(codeName: string, message: string): SmolwfError {
    const ErrorClass = classOf(codeName);
    return new ErrorClass(this.constant(codeName), codeName, message);
  }

  #bindAll(): void {
    for (const name of this.header.functions.keys()) this.has(name);
  }

  #bind(name: string): Bound {
    const known = this.#bound.get(name);
    if (known) return known;
    const declared = this.header.functions.get(name);
    if (!declared) throw this.#missing(name, "smolwf.cdef");
    const bound = { native: this.#load(declared), slots: shapeOf(declared, this.header) };
    this.#bound.set(name, bound);
    return bound;
  }

  #load(declared: CFunction): Native {
    const parameters = declared.parameters.map(({ type }) => cType(type));
    const result = cType(declared.result);
    try {
      return this.#native.func(declared.name, result, parameters);
    } catch (error) {
      if (!String(error).includes("Cannot find function")) throw error;
      throw this.#missing(declared.name, this.path);
    }
  }

  #missing(name: string, where: string): SmolwfError {
    return this.error("SW_ERR_UNSUPPORTED", `${name} is not in ${where}: ${this.#versions()}`);
  }

  #answer(frame: Frame, code: number): Answer {
    const error = frame.errorPointer();
    if (code < 0) throw this.#error(code, error);
    return {
      code: this.#codeName(code),
      text: frame.text((pointer) => this.#take(pointer)),
      pointer: frame.pointer(),
      pointers: frame.pointers(),
      integers: frame.integers(),
    };
  }

  /** Returns what a text of the library holds, and frees it. */
  #take(text: bigint): string {
    const value = this.#bind("sw_text_data").native(text, null) as string;
    this.release("sw_text_free", text);
    return value;
  }

  #error(code: number, pointer: bigint | undefined): SmolwfError {
    const name = this.#codeName(code);
    const ErrorClass = classOf(name);
    if (pointer === undefined) return new ErrorClass(code, name, name);
    const read = (name: string): unknown => this.#bind(name).native(pointer);
    const message = read("sw_error_message") as string;
    const isRetryable = read("sw_error_is_retryable") !== 0;
    const engineCode = read("sw_error_engine_code") as number;
    const exact = read("sw_error_code") as number;
    this.release("sw_error_free", pointer);
    return new ErrorClass(exact, name, message, isRetryable, engineCode);
  }

  #codeName(code: number): string {
    const known = this.#codeNames.get(code);
    if (known) return known;
    const name = this.#bind("sw_code_name").native(code) as string;
    this.#codeNames.set(code, name);
    return name;
  }
}

/** Loads the first of these that can be, and says which it is. */
function loadFirst(paths: readonly string[]): [string, LibraryHandle] {
  const tried: string[] = [];
  for (const path of paths) {
    try {
      return [path, koffi.load(path)];
    } catch (error) {
      tried.push(`${path}: ${(error as Error).message}`);
    }
  }
  throw new Error(unserved(tried));
}

let loaded: Library | undefined;

/** Returns the library of this thread, loaded at the first call. */
export function library(): Library {
  loaded ??= new Library(findLibraries(), findHeader());
  return loaded;
}

/** How koffi is told a type: what is pointed to goes as bytes or as an address. */
function cType(type: string): string {
  if (type === "const char *") return "str";
  return type.endsWith("*") ? "void *" : type;
}
