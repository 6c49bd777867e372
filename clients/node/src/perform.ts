import type { Attempt } from "./attempt.js";
import { inAttempt } from "./context.js";
import {
  CancelledError,
  ClosedError,
  ConflictError,
  isFatal,
  LeaseLostError,
  ResultError,
} from "./errors.js";
import { type Json, rawJson, toJson } from "./json.js";
import { isRefusedValue, recordFailure } from "./record.js";
import {
  carriesCancel,
  carriesSuspend,
  type FailedHow,
  isAbort,
  messageOf,
  traceOf,
  withoutWaits,
} from "./thrown.js";
import { Teller, type TellOptions } from "./told.js";
import type { Workflow } from "./workflow.js";

/** Of `attempt.perform`. */
export type PerformOptions = TellOptions;

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
  /** another worker has the run */
  | { state: "lost" }
  /** given back; no try is charged */
  | { state: "released"; reason: string };

/** How the function ended. */
type Came = { value: unknown } | { thrown: unknown };

/** Milliseconds before a run is claimed again whose end the library refused to store. */
const GIVE_BACK_MS = 1_000;

/** Runs a workflow function, and ends and frees the attempt. Rejects if the store cannot go on. */
export function perform(
  attempt: Attempt,
  workflow: Workflow,
  options: PerformOptions,
): Promise<Outcome> {
  return performTelling(attempt, workflow, new Teller({ log: "off", ...options }));
}

export async function performTelling(
  attempt: Attempt,
  workflow: Workflow,
  teller: Teller,
): Promise<Outcome> {
  const { calls } = attempt;
  calls.listen(teller);
  calls.tell("claimed", () => ({}));
  const stopBeating = startBeating(attempt);
  attempt.startHearing();
  try {
    const came = await Promise.race([played(attempt, workflow), calls.left()]);
    return await ended(attempt, came);
  } finally {
    stopBeating();
    attempt.stopHearing();
    calls.close();
    attempt.free();
  }
}

/** Extends the lease now and then; what it learns aborts the attempt's signal by itself. */
function startBeating(attempt: Attempt): () => void {
  if (attempt.heartbeatMs === 0) return () => undefined;
  let isBeating = false;
  const beat = async (): Promise<void> => {
    if (isBeating) return;
    isBeating = true;
    await attempt.heartbeat().catch(() => undefined);
    isBeating = false;
  };
  const heart = setInterval(beat, attempt.heartbeatMs);
  return () => clearInterval(heart);
}

/** Calls the function, and waits for what it began and left. */
function played(attempt: Attempt, workflow: Workflow): Promise<Came> {
  return inAttempt(attempt.calls, async () => {
    let came: Came;
    try {
      came = { value: await workflow(attempt, attempt.args) };
    } catch (thrown) {
      came = { thrown };
    }
    await attempt.calls.settled();
    return came;
  });
}

async function ended(attempt: Attempt, came: Came | undefined): Promise<Outcome> {
  try {
    return attempt.outcome ? endedByHand(attempt, attempt.outcome) : await end(attempt, came);
  } catch (error) {
    return endedOtherwise(attempt, error);
  }
}

async function end(attempt: Attempt, came: Came | undefined): Promise<Outcome> {
  const { calls } = attempt;
  if (calls.fatal) throw calls.fatal;
  if (calls.stopped || !came) return giveBackStopped(attempt, calls.stopped?.message ?? "stopped");
  if (calls.refusal) {
    return fail(attempt, calls.refusal, { terminal: calls.refusal instanceof ConflictError });
  }
  if ("value" in came) return endReturned(attempt, came.value);
  return endThrown(attempt, came.thrown);
}

/** The function has ended its attempt itself. */
function endedByHand(attempt: Attempt, outcome: Outcome): Outcome {
  const { calls } = attempt;
  const duration_ms = calls.durationMs;
  if (outcome.state === "completed") calls.tell("completed", () => ({ duration_ms }));
  else if (outcome.state === "suspended") {
    const waiting_for = [...calls.waitingFor];
    calls.tell("parked", () => ({ duration_ms, waiting_for, swallowed: false }));
  } else if (outcome.state === "released") released(attempt, outcome.reason);
  else if (outcome.state === "failed" || outcome.state === "retrying") {
    const told = { duration_ms, error: outcome.error, trace: null, retry_at_ms: null };
    calls.tell(outcome.state, () => told);
  }
  return outcome;
}

async function endReturned(attempt: Attempt, value: unknown): Promise<Outcome> {
  const { calls } = attempt;
  const forgotten = calls.forgotten();
  if (forgotten) return fail(attempt, forgotten);
  const parked = calls.hasWaited && (await park(attempt, true));
  if (parked) return parked;
  try {
    await attempt.complete(rawJson(toJson(value) ?? "null"));
  } catch (refusal) {
    if (!isRefusedValue(refusal)) throw refusal;
    return fail(attempt, new ResultError(`workflow ${attempt.workflow}`, refusal));
  }
  const duration_ms = calls.durationMs;
  calls.tell("completed", () => ({ duration_ms }));
  return { state: "completed", result: value };
}

async function endThrown(attempt: Attempt, thrown: unknown): Promise<Outcome> {
  const { signal } = attempt.calls;
  const parked = carriesSuspend(thrown) && (await park(attempt, false));
  if (parked) return parked;
  const error = signal.aborted && isAbort(thrown) ? signal.reason : thrown;
  // Only of this run: the function may have to do with others.
  if (carriesCancel(error) && (await isCancelled(attempt)))
    return giveBack(attempt, 0, "cancelled");
  return fail(attempt, withoutWaits(error));
}

async function isCancelled(attempt: Attempt): Promise<boolean> {
  try {
    await attempt.check();
    return false;
  } catch (error) {
    if (error instanceof CancelledError) return true;
    throw error;
  }
}

/** Parks on what is waited for; undefined if nothing is, as the library knows. */
async function park(attempt: Attempt, swallowed: boolean): Promise<Outcome | undefined> {
  const { calls } = attempt;
  calls.freeSteps();
  try {
    await attempt.suspend();
  } catch (error) {
    const isNothing = error instanceof ConflictError && /nothing to wait for/.test(error.message);
    if (isNothing) return undefined;
    throw error;
  }
  const [duration_ms, waiting_for] = [calls.durationMs, [...calls.waitingFor]];
  calls.tell("parked", () => ({ duration_ms, waiting_for, swallowed }));
  return { state: "suspended" };
}

async function fail(attempt: Attempt, thrown: unknown, how?: FailedHow): Promise<Outcome> {
  const { calls } = attempt;
  const record = (error: Json, how: FailedHow): Promise<boolean> => attempt.failJson(error, how);
  const { isRetried, error } = await recordFailure(thrown, record, how);
  const told = { duration_ms: calls.durationMs, error, trace: traceOf(thrown) };
  if (!isRetried) {
    calls.tell("failed", () => told);
    return { state: "failed", error };
  }
  const retry_at_ms = await attempt.retryAtMs();
  calls.tell("retrying", () => ({ ...told, retry_at_ms }));
  return { state: "retrying", error };
}

/** The worker ends the attempt: told at once, its run is given back when nothing of the worker's takes it. */
async function giveBackStopped(attempt: Attempt, reason: string): Promise<Outcome> {
  await attempt.calls.whenClaimed?.();
  return giveBack(attempt, 0, reason);
}

async function giveBack(attempt: Attempt, delayMs: number, reason: string): Promise<Outcome> {
  await attempt.release(delayMs);
  return released(attempt, reason);
}

function released(attempt: Attempt, reason: string): Outcome {
  const duration_ms = attempt.calls.durationMs;
  attempt.calls.tell("released", () => ({ duration_ms, reason }));
  return { state: "released", reason };
}

/** What an error says that met the end: it was stored as another one, or it is not ours to store. */
async function endedOtherwise(attempt: Attempt, error: unknown): Promise<Outcome> {
  if (error instanceof CancelledError) return stopped(attempt);
  if (error instanceof LeaseLostError) return lost(attempt);
  if (error instanceof ClosedError) return released(attempt, "the store was closed");
  if (isFatal(error)) throw error;
  return await endedSomehow(attempt, error).catch(() => lost(attempt));
}

/** The run was cancelled, or its time was over: the library says so with one code, and it is failed then. */
async function stopped(attempt: Attempt): Promise<Outcome> {
  const { calls } = attempt;
  const duration_ms = calls.durationMs;
  const run = await attempt.asItStands();
  if (run?.state !== "failed") {
    calls.tell("cancelled", () => ({ duration_ms }));
    return { state: "cancelled" };
  }
  const { error } = run;
  calls.tell("failed", () => ({ duration_ms, error, trace: null }));
  return { state: "failed", error };
}

/** An end that was refused for no reason that we know fails the run, so that it is not for ever. */
async function endedSomehow(attempt: Attempt, error: unknown): Promise<Outcome> {
  const reason = messageOf(error);
  if (attempt.calls.stopped) return giveBackStopped(attempt, reason);
  return await fail(attempt, error).catch(() => giveBack(attempt, GIVE_BACK_MS, reason));
}

function lost(attempt: Attempt): Outcome {
  const duration_ms = attempt.calls.durationMs;
  attempt.calls.tell("lost", () => ({ duration_ms }));
  return { state: "lost" };
}
