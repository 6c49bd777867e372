/** Workers that end when the process is told to. */
const told = new Set<() => void>();

const NAMES = ["SIGTERM", "SIGINT"] as const;

function tell(): void {
  for (const stop of [...told]) stop();
}

/**
 * Calls `stop` at each SIGTERM and SIGINT; returns what takes that back. While nobody listens the
 * process has its own way with them.
 */
export function onSignals(stop: () => void): () => void {
  if (told.size === 0) for (const name of NAMES) process.on(name, tell);
  told.add(stop);
  return () => {
    const wasLast = told.delete(stop) && told.size === 0;
    if (wasLast) for (const name of NAMES) process.off(name, tell);
  };
}
