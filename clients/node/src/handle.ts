const forgotten = new FinalizationRegistry<() => void>((free) => free());

/**
 * Owns one object of the library. Freeing waits until no call uses it: calls run on other threads,
 * and using an object after its `_free` is undefined.
 */
export class Handle {
  readonly kind: string;
  readonly #pointer: bigint;
  readonly #free: () => void;
  #users = 0;
  #isOpen = true;
  #whenIdle: (() => void) | undefined;

  /** `free` must not block; it is also called when the handle is forgotten and collected. */
  constructor(kind: string, pointer: bigint, free: (pointer: bigint) => void) {
    this.kind = kind;
    this.#pointer = pointer;
    this.#free = () => free(pointer);
    forgotten.register(this, this.#free, this);
  }

  /** Whether calls may still use the object. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Returns the pointer for one call, undefined once closed; each enter has its leave. */
  enter(): bigint | undefined {
    if (!this.#isOpen) return undefined;
    this.#users += 1;
    return this.#pointer;
  }

  leave(): void {
    this.#users -= 1;
    if (this.#users === 0) this.#whenIdle?.();
  }

  /** Refuses later calls, and frees the object once those in flight have returned. */
  free(): void {
    if (this.#isOpen) this.#close(this.#free);
  }

  /** Refuses later calls, and resolves to the pointer once those in flight have returned. */
  close(): Promise<bigint> {
    return new Promise((resolve) => this.#close(() => resolve(this.#pointer)));
  }

  #close(then: () => void): void {
    this.#isOpen = false;
    forgotten.unregister(this);
    if (this.#users === 0) then();
    else this.#whenIdle = then;
  }
}
