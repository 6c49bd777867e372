import { onAbort } from "./abort.js";
import { Handle } from "./handle.js";
import type { Library } from "./library.js";

/** Calls `work` with a stop that an AbortSignal fires; without a signal, with none. */
export async function withStop<T>(
  library: Library,
  signal: AbortSignal | undefined,
  work: (stop: Handle | undefined) => Promise<T>,
): Promise<T> {
  if (!signal) return work(undefined);
  signal.throwIfAborted();
  const pointer = library.call("sw_stop_new").pointer ?? 0n;
  const stop = new Handle("stop", pointer, library.releasing("sw_stop_free"));
  const fire = (): void => library.release("sw_stop_fire", pointer);
  const forget = onAbort(signal, fire);
  try {
    return await work(stop);
  } finally {
    forget();
    stop.free();
  }
}
