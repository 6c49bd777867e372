/** What to call when a signal is aborted: one listener a signal, however many wait with it. */
const callbacks = new WeakMap<AbortSignal, Set<() => void>>();

function listened(signal: AbortSignal): Set<() => void> {
  const known = callbacks.get(signal);
  if (known) return known;
  const made = new Set<() => void>();
  callbacks.set(signal, made);
  const tell = (): void => {
    for (const callback of [...made]) callback();
  };
  signal.addEventListener("abort", tell, { once: true });
  return made;
}

/** Calls back once the signal is aborted; returns what takes that back. */
export function onAbort(signal: AbortSignal | undefined, callback: () => void): () => void {
  if (!signal) return () => undefined;
  const all = listened(signal);
  all.add(callback);
  return () => {
    all.delete(callback);
  };
}

/** Waits for some milliseconds, or until the signal is aborted. */
export function pauseUnless(signal: AbortSignal | undefined, ms: number): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const wake = (): void => {
      clearTimeout(timer);
      forget();
      resolve();
    };
    const timer = setTimeout(wake, ms);
    const forget = onAbort(signal, wake);
  });
}
