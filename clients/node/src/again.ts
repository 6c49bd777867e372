import { pauseUnless } from "./abort.js";
import { SmolwfError } from "./errors.js";

/** Milliseconds before a call is made again, doubling. */
const PAUSE_MS = 50;
const PAUSE_MAX_MS = 2_000;

/** Codes of what may pass: nothing is wrong with the call. */
const PASSING = new Set(["SW_ERR_BUSY", "SW_ERR_IO", "SW_ERR_NOMEM", "SW_ERR_FULL"]);

/**
 * Makes a call again until it is answered otherwise than by what may pass, or `signal` is aborted:
 * then its last error is thrown. Calls of an attempt answer the same however often they are made.
 */
export async function again<T>(
  call: () => Promise<T>,
  signal: AbortSignal | undefined,
  onDelayed: (error: SmolwfError) => void,
): Promise<T> {
  for (let pauseMs = PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS)) {
    try {
      return await call();
    } catch (error) {
      const mayPass = error instanceof SmolwfError && PASSING.has(error.name);
      if (!mayPass || signal?.aborted) throw error;
      if (pauseMs === PAUSE_MS) onDelayed(error);
      await pauseUnless(signal, pauseMs);
      if (signal?.aborted) throw error;
    }
  }
}
