import { Socket } from "node:net";
import { onAbort } from "./abort.js";
import { SmolwfError } from "./errors.js";
import { Handle } from "./handle.js";
import type { Library } from "./library.js";

/** Milliseconds after which a waiter looks by itself: a process may die before it tells. */
const LOOK_MS = 1_000;
/** The same for a store opened for reading alone where it cannot hear of changes. */
const POLL_MS = 50;

/**
 * Wakes what waits in this thread when the store changes. A wait holds no thread: it asks without
 * waiting, and asks again when the watch's descriptor says that something happened.
 */
export class Changes {
  readonly #library: Library;
  readonly #store: Handle;
  readonly #wakers = new Set<() => void>();
  #seen = 0;
  #lookMs = LOOK_MS;
  #watch: Handle | undefined;
  #socket: Socket | undefined;
  #isTold = false;
  readonly #closed = new AbortController();

  constructor(library: Library, store: Handle) {
    this.#library = library;
    this.#store = store;
  }

  /**
   * Calls `look` until it finds something or the time is over, which is undefined. A negative time
   * has no end. An abort rejects with the signal's reason.
   */
  async until<T>(
    look: () => Promise<T | undefined>,
    waitMs: number,
    signal?: AbortSignal,
  ): Promise<T | undefined> {
    const deadline = waitMs < 0 ? Number.POSITIVE_INFINITY : performance.now() + waitMs;
    if (waitMs !== 0) this.#open();
    for (;;) {
      const seen = this.#seen;
      const found = await look();
      if (found !== undefined) return found;
      signal?.throwIfAborted();
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) return undefined;
      if (seen === this.#seen) await this.#next(Math.min(leftMs, this.#lookMs), signal);
      signal?.throwIfAborted();
    }
  }

  /** Aborted when the store is closed. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Wakes all waiters, whose next look finds the store closed, and closes the watch. */
  async close(): Promise<void> {
    this.#closed.abort(this.#library.error("SW_ERR_CLOSED", "the store is closed"));
    this.#socket?.destroy();
    this.#wake();
    const watch = await this.#watch?.close();
    if (watch !== undefined) await this.#library.releaseLater("sw_watch_free", watch);
  }

  #open(): void {
    if (this.#isTold || this.closed.aborted) return;
    this.#openWatch();
    this.#isTold = true;
  }

  #openWatch(): void {
    try {
      const { pointer } = this.#library.call("sw_watch_open", this.#store);
      this.#watch = new Handle("watch", pointer ?? 0n, () => undefined);
    } catch (error) {
      const isDeaf = error instanceof SmolwfError && error.name === "SW_ERR_READONLY";
      if (!isDeaf) throw error;
      this.#lookMs = POLL_MS;
      return;
    }
    const [fd] = this.#library.call("sw_watch_fd", this.#watch).integers;
    this.#socket = new Socket({ fd: Number(fd), readable: true, writable: false });
    this.#socket.on("data", () => this.#told());
    this.#socket.on("close", () => this.#wake());
    this.#socket.on("error", () => this.#wake());
    if (this.#wakers.size === 0) this.#socket.unref();
  }

  /** The bytes are read; the drain makes the next change tell again. */
  #told(): void {
    if (this.#watch?.isOpen) this.#library.call("sw_watch_drain", this.#watch);
    this.#wake();
  }

  #wake(): void {
    this.#seen += 1;
    for (const waker of [...this.#wakers]) waker();
  }

  /** Resolves at the next change, after a time, or at an abort, whichever is first. */
  #next(waitMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.closed.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        forget();
        this.#wakers.delete(wake);
        if (this.#wakers.size === 0) this.#socket?.unref();
        resolve();
      };
      const timer = setTimeout(wake, waitMs);
      const forget = onAbort(signal, wake);
      this.#wakers.add(wake);
      this.#socket?.ref();
    });
  }
}
