import type { Json } from "./json.js";

/** An error that the library answered: `name` is its code's name, such as `SW_ERR_BUSY`. */
export class SmolwfError extends Error {
  /** The code, below 0: docs/ERRORS.md says what each means and what to do. */
  readonly code: number;
  /** Whether the same call may succeed when it is made again. */
  readonly retryable: boolean;
  /** The code of SQLite or of the system beneath, 0 if there is none. */
  readonly engineCode: number;

  constructor(code: number, name: string, message: string, retryable = false, engineCode = 0) {
    super(message);
    this.name = name;
    this.code = code;
    this.retryable = retryable;
    this.engineCode = engineCode;
  }
}

/** The run was cancelled, or its time is over: stop, and clean up. */
export class CancelledError extends SmolwfError {}
/** Another attempt has the run: stop, nothing more of this one is stored. */
export class LeaseLostError extends SmolwfError {}
/** The budget does not hold the amount; nothing was taken. */
export class BudgetError extends SmolwfError {}
/** The code is not what was recorded: another input, another kind of wait, and strictly another way. */
export class NondeterminismError extends SmolwfError {}
/** The state of the object forbids the call. */
export class ConflictError extends SmolwfError {}
/** There is no such run, step, reservation or schedule. */
export class NotFoundError extends SmolwfError {}
/** An argument is out of its form or range; the message names it and the limit. */
export class InvalidError extends SmolwfError {}
/** Others kept a lock for the whole busy timeout: the same call may succeed. */
export class BusyError extends SmolwfError {}
/** The store was closed. */
export class ClosedError extends SmolwfError {}

/** Codes after which no call of the store has a chance. */
const FATAL = new Set([
  ...["SW_ERR_WAL_LOST", "SW_ERR_POISONED", "SW_ERR_CORRUPT", "SW_ERR_READONLY"],
  ...["SW_ERR_SCHEMA_OLD", "SW_ERR_SCHEMA_NEW", "SW_ERR_SCHEMA_FOREIGN", "SW_ERR_SCHEMA_EDITED"],
  ...["SW_ERR_SECOND_COPY", "SW_ERR_FORKED", "SW_ERR_MOVED"],
]);

/** Whether the store cannot go on. */
export function isFatal(error: unknown): error is SmolwfError {
  return error instanceof SmolwfError && FATAL.has(error.name);
}

/** Whether a call learnt from its answer that there is no use in going on with its attempt. */
export function isOver(error: unknown): error is SmolwfError {
  return (
    error instanceof CancelledError ||
    error instanceof LeaseLostError ||
    error instanceof ClosedError
  );
}

const CLASSES: ReadonlyMap<string, typeof SmolwfError> = new Map([
  ["SW_ERR_CANCELLED", CancelledError],
  ["SW_ERR_LEASE_LOST", LeaseLostError],
  ["SW_ERR_BUDGET", BudgetError],
  ["SW_ERR_NONDETERMINISM", NondeterminismError],
  ["SW_ERR_CONFLICT", ConflictError],
  ["SW_ERR_NOT_FOUND", NotFoundError],
  ["SW_ERR_INVALID", InvalidError],
  ["SW_ERR_BUSY", BusyError],
  ["SW_ERR_CLOSED", ClosedError],
]);

/** The class of errors of a code, by its name. */
export function classOf(codeName: string): typeof SmolwfError {
  return CLASSES.get(codeName) ?? SmolwfError;
}

/**
 * Thrown by a wait that is not over: let it pass. The attempt then parks, and the workflow function
 * runs again, from the top, when what it waits for is there.
 */
export class Suspended extends Error {
  override name = "Suspended";
}

/** The reason of `attempt.signal` when its worker ends it: it is given back, and no try is charged. */
export class WorkerStopped extends Error {
  override name = "WorkerStopped";
}

/** What a step or workflow returned cannot be recorded: final, as another try would return it too. */
export class ResultError extends Error {
  override name = "ResultError";
  constructor(of: string, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super(`the result of ${of} cannot be recorded: ${why}`, { cause });
  }
}

/** A promise of a workflow was dropped: its call was made, and nobody waits for what comes of it. */
export class ForgottenAwaitError extends Error {
  override name = "ForgottenAwaitError";
}

/** A transaction is used as none can be: in the code of another one, after its end, before its commit. */
export class TransactionError extends Error {
  override name = "TransactionError";
}

/** A failure that is recorded, and is the answer from now on: of a step, of a child, of a wait. */
export class RecordedFailure extends Error {
  override name = "RecordedFailure";
  /** Which step, child or wait. */
  readonly of: string;
  /** The JSON value that was recorded. */
  readonly error: Json;

  constructor(of: string, error: Json, cause?: unknown) {
    super(`${of} failed: ${brief(error)}`, { cause });
    this.of = of;
    this.error = error;
  }
}

/** What is to come of a failure. */
export interface FailureOptions {
  /** Do not try again. */
  terminal?: boolean;
  /** Milliseconds until the next try, in place of the backoff. */
  retryAfterMs?: number;
}

/**
 * Thrown by your code to say what is to be recorded as error, and when to try again. A wrapper that
 * names it as its `cause` keeps when, and is recorded itself.
 */
export class Failure extends Error {
  override name = "Failure";
  /** The JSON value to record. */
  readonly error: Json;
  /** Whether it is not to be tried again. */
  readonly terminal: boolean;
  /** Milliseconds until the next try, in place of the backoff. */
  readonly retryAfterMs: number | undefined;

  constructor(error: Json, options: FailureOptions = {}) {
    super(brief(error));
    this.error = error;
    this.terminal = options.terminal ?? false;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Characters of a recorded error that a message shows at most. */
const BRIEF_MAX = 500;

function brief(error: Json): string {
  try {
    const hasMessage = error !== null && typeof error === "object" && "message" in error;
    const text = String(hasMessage ? error["message"] : JSON.stringify(error));
    return text.slice(0, BRIEF_MAX);
  } catch {
    return "a value that has no form in JSON";
  }
}
