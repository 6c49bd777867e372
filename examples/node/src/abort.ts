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
