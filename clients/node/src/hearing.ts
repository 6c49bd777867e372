import { pauseUnless } from "./abort.js";
import type { Attempt } from "./attempt.js";
import type { Changes } from "./watch.js";

/** Milliseconds between two looks at least, however often the store changes. */
const GAP_MS = 25;

/**
 * Hears of cancels and takeovers for the attempts of one store, through its watch: a change of the
 * store is a reason to ask whether each attempt still holds its run. Only those that somebody listens
 * to are asked for.
 */
export class Hearing {
  readonly #changes: Changes;
  readonly #attempts = new Set<Attempt>();
  #over = new AbortController();

  constructor(changes: Changes) {
    this.#changes = changes;
  }

  /** Hears for an attempt until it is aborted or forgotten. */
  listen(attempt: Attempt): void {
    this.#attempts.add(attempt);
    if (this.#attempts.size === 1) void this.#hear();
  }

  forget(attempt: Attempt): void {
    const wasLast = this.#attempts.delete(attempt) && this.#attempts.size === 0;
    if (!wasLast) return;
    this.#over.abort();
    this.#over = new AbortController();
  }

  async #hear(): Promise<void> {
    const { signal } = this.#over;
    const look = async (): Promise<undefined> => {
      for (const attempt of [...this.#attempts]) await this.#ask(attempt);
      await pauseUnless(signal, GAP_MS);
    };
    // Ends by the abort. Without a watch (no descriptor is left) the heartbeats still tell.
    await this.#changes.until(look, -1, signal).catch(() => undefined);
  }

  /** What it learns aborts the attempt's signal by itself. */
  async #ask(attempt: Attempt): Promise<void> {
    await attempt.check().catch(() => undefined);
    if (attempt.calls.signal.aborted) this.forget(attempt);
  }
}
