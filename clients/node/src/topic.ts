import type { Handle } from "./handle.js";
import { fromJson } from "./json.js";
import type { Answer, Library } from "./library.js";

/** A topic of a store: calls that have it as their first argument. */
export class Topic {
  protected readonly library: Library;
  protected readonly store: Handle;

  constructor(library: Library, store: Handle) {
    this.library = library;
    this.store = store;
  }

  protected later(name: string, ...inputs: readonly unknown[]): Promise<Answer> {
    return this.library.callLater(name, this.store, ...inputs);
  }
}

export function document<T>(answer: Answer): T {
  return fromJson<T>(answer.text ?? "null");
}
