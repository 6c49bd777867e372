import { setTimeout as pause } from "node:timers/promises";
import { SmolwfError } from "./errors.js";

/** How often a call that may be repeated is made, and the milliseconds before the next, doubling. */
const TRIES_MAX = 5;
const PAUSE_MS = 20;

/**
 * Makes a call again while its error says that it may succeed. For finishes alone: repeated with the
 * same bytes they answer as the first did, even if that one was stored after all.
 */
export async function again<T>(call: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await call();
    } catch (error) {
      const isHopeless = !(error instanceof SmolwfError && error.retryable);
      if (isHopeless || tries === TRIES_MAX) throw error;
      await pause(PAUSE_MS * 2 ** tries);
    }
  }
}
