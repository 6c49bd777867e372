import { setTimeout as pause } from "node:timers/promises";
import type { Attempt } from "./attempt.js";
import { ClosedError, SmolwfError } from "./errors.js";
import type { ClaimOptions } from "./options.js";
import type { Outcome, Workflow } from "./perform.js";
import type { Store } from "./store.js";

/** Workflow functions by the name of their workflow. */
// biome-ignore lint/suspicious/noExplicitAny: each has its own arguments
export type Workflows = Readonly<Record<string, Workflow<any, any>>>;

export interface WorkOptions extends Omit<ClaimOptions, "workflows" | "waitMs"> {
  /** Runs worked on side by side in this thread; 1 is the default. */
  concurrency?: number;
  /** Told of each attempt's end. */
  onOutcome?: (outcome: Outcome, attempt: Attempt) => void;
  /** Told of errors of the store that no attempt saw; absent, they end the work. */
  onError?: (error: unknown) => void;
}

/** Milliseconds to wait when the store does not answer. */
const PAUSE_MS = 250;

/**
 * Claims and performs runs until the signal is aborted, or the store is closed. Attempts under way
 * are finished first; a store that is closed gives them back.
 */
export async function work(
  store: Store,
  workflows: Workflows,
  options: WorkOptions,
): Promise<void> {
  const lanes = Array.from({ length: options.concurrency ?? 1 }, () =>
    lane(store, workflows, options),
  );
  await Promise.all(lanes);
}

async function lane(store: Store, workflows: Workflows, options: WorkOptions): Promise<void> {
  const { concurrency: _concurrency, onOutcome, onError, signal, ...rest } = options;
  const names = Object.keys(workflows);
  while (!signal?.aborted) {
    try {
      const claim = { ...rest, signal, workflows: names, waitMs: -1 };
      const attempt = await store.runs.claim(claim);
      const workflow = attempt && workflows[attempt.workflow];
      if (!workflow) continue;
      const outcome = await attempt.perform(workflow);
      onOutcome?.(outcome, attempt);
    } catch (error) {
      if (signal?.aborted || error instanceof ClosedError) return;
      if (error instanceof SmolwfError && error.retryable) await pause(PAUSE_MS);
      else if (onError) onError(error);
      else throw error;
    }
  }
}
