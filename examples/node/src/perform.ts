import type { Attempt } from "./attempt.js";
import {
  BudgetError,
  CancelledError,
  ClosedError,
  Failure,
  LeaseLostError,
  RecordedFailure,
  recorded,
  SmolwfError,
  Suspended,
} from "./errors.js";
import type { Json } from "./json.js";

/** Your code: runs from the top in each attempt, with everything costly in steps. */
export type Workflow<Args = Json, Result = unknown> = (
  attempt: Attempt,
  args: Args,
) => Result | Promise<Result>;

/** What came of an attempt. */
export type Outcome =
  | { state: "completed"; result: unknown }
  /** parked until what it waits for is there */
  | { state: "suspended" }
  /** failed, and will be tried again */
  | { state: "retrying"; error: Json }
  /** failed for good */
  | { state: "failed"; error: Json }
  | { state: "cancelled" }
  /** another worker has the run, or the store was closed */
  | { state: "lost" }
  /** given back, as the store did not answer */
  | { state: "released"; error: Json };

/** Milliseconds before a run is tried again that was given back because the store did not answer. */
const GIVE_BACK_MS = 1_000;

/** Whether something thrown is about the attempt itself, and no failure of the work. */
export function isControl(thrown: unknown): boolean {
  const isOfAttempt =
    thrown instanceof BudgetError ||
    thrown instanceof CancelledError ||
    thrown instanceof LeaseLostError ||
    thrown instanceof ClosedError;
  return isOfAttempt || thrown instanceof Suspended || isRetryable(thrown);
}

function isRetryable(thrown: unknown): boolean {
  return thrown instanceof SmolwfError && thrown.retryable;
}

/** Runs a workflow function with a heartbeat beneath it, and ends and frees the attempt. */
export async function perform(attempt: Attempt, workflow: Workflow): Promise<Outcome> {
  const heart = setInterval(() => beat(attempt), attempt.heartbeatMs);
  try {
    return await run(attempt, workflow);
  } catch (error) {
    if (error instanceof CancelledError) return { state: "cancelled" };
    if (error instanceof LeaseLostError || error instanceof ClosedError) return { state: "lost" };
    throw error;
  } finally {
    clearInterval(heart);
    attempt.free();
  }
}

async function run(attempt: Attempt, workflow: Workflow): Promise<Outcome> {
  let result: unknown;
  try {
    result = await workflow(attempt, attempt.args);
  } catch (thrown) {
    await attempt.settled();
    return endThrown(attempt, thrown);
  }
  await attempt.settled();
  await attempt.complete(result);
  return { state: "completed", result };
}

async function endThrown(attempt: Attempt, thrown: unknown): Promise<Outcome> {
  if (thrown instanceof LeaseLostError || thrown instanceof ClosedError) throw thrown;
  if (thrown instanceof Suspended || thrown instanceof BudgetError) {
    await attempt.suspend();
    return { state: "suspended" };
  }
  if (thrown instanceof CancelledError || isRetryable(thrown)) {
    await attempt.release(thrown instanceof CancelledError ? 0 : GIVE_BACK_MS);
    return { state: "released", error: recorded(thrown) };
  }
  const isRetried = await attempt.fail(thrown, failureOf(thrown));
  return { state: isRetried ? "retrying" : "failed", error: recorded(thrown) };
}

/** A step that failed for good fails in each attempt, so there is no use in another. */
export function failureOf(thrown: unknown): { terminal: boolean; retryAfterMs?: number } {
  if (thrown instanceof RecordedFailure) return { terminal: true };
  if (!(thrown instanceof Failure)) return { terminal: false };
  const { terminal, retryAfterMs } = thrown;
  return retryAfterMs === undefined ? { terminal } : { terminal, retryAfterMs };
}

function beat(attempt: Attempt): void {
  attempt.heartbeat().catch((error) => {
    const isOver = error instanceof CancelledError || error instanceof LeaseLostError;
    if (isOver) attempt.abandon(error);
  });
}
