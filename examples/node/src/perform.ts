import type { Attempt } from "./attempt.js";
import {
  BudgetError,
  CancelledError,
  ClosedError,
  ConflictError,
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
  try {
    const result = await workflow(attempt, attempt.args);
    await attempt.settled();
    await attempt.complete(result);
    return { state: "completed", result };
  } catch (thrown) {
    await attempt.settled();
    return endThrown(attempt, thrown);
  }
}

async function endThrown(attempt: Attempt, thrown: unknown): Promise<Outcome> {
  if (thrown instanceof LeaseLostError || thrown instanceof ClosedError) throw thrown;
  if (thrown instanceof Suspended || thrown instanceof BudgetError) return park(attempt);
  if (thrown instanceof CancelledError) {
    // Whatever ends it makes the run cancelled; a finish that answered so has done it already.
    await attempt.release().catch(() => undefined);
    return { state: "cancelled" };
  }
  if (isRetryable(thrown)) {
    await attempt.release(GIVE_BACK_MS);
    return { state: "released", error: recorded(thrown) };
  }
  return endFailed(attempt, thrown);
}

async function park(attempt: Attempt): Promise<Outcome> {
  try {
    await attempt.suspend();
    return { state: "suspended" };
  } catch (error) {
    // The function threw Suspended, and there is nothing that it waits for.
    if (error instanceof ConflictError) return endFailed(attempt, error);
    throw error;
  }
}

async function endFailed(attempt: Attempt, thrown: unknown): Promise<Outcome> {
  const end = async (error: unknown): Promise<Outcome> => {
    const isRetried = await attempt.fail(error, failureOf(thrown));
    return { state: isRetried ? "retrying" : "failed", error: recorded(error) };
  };
  try {
    return await end(thrown);
  } catch (refusal) {
    // An error that cannot be stored: too big, or with a key that is the library's own.
    if (isControl(refusal)) throw refusal;
    return end(refusal);
  }
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
