import type { Json } from "./json.js";

/** An error that the library answered: `name` is its code's name, such as `SW_ERR_BUSY`. */
export class SmolwfError extends Error {
  constructor(
    readonly code: number,
    name: string,
    message: string,
    /** Whether the same call may succeed when it is made again. */
    readonly retryable = false,
    /** The code of SQLite or of the system beneath, 0 if there is none. */
    readonly engineCode = 0,
  ) {
    super(message);
    this.name = name;
  }
}

/** The run was cancelled, or its time is over: stop, and clean up. */
export class CancelledError extends SmolwfError {}
/** Another attempt has the run: stop, nothing more of this one is stored. */
export class LeaseLostError extends SmolwfError {}
/** The budget does not hold the amount; nothing was taken. */
export class BudgetError extends SmolwfError {}
/** A step was begun with another input than the recorded one. */
export class NondeterminismError extends SmolwfError {}
/** The state of the object forbids the call. */
export class ConflictError extends SmolwfError {}
export class NotFoundError extends SmolwfError {}
export class InvalidError extends SmolwfError {}
export class BusyError extends SmolwfError {}
export class ClosedError extends SmolwfError {}

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

/** A failure that is recorded, and is the answer from now on: of a step, of a child, of a wait. */
export class RecordedFailure extends Error {
  override name = "RecordedFailure";
  constructor(
    /** Which step, child or wait. */
    readonly of: string,
    /** The JSON value that was recorded. */
    readonly error: Json,
    cause?: unknown,
  ) {
    super(`${of} failed: ${brief(error)}`, { cause });
  }
}

export interface FailureOptions {
  /** Do not try again. */
  terminal?: boolean;
  /** Milliseconds until the next try, in place of the backoff. */
  retryAfterMs?: number;
}

/** Thrown by your code to say what is to be recorded as error, and when to try again. */
export class Failure extends Error {
  override name = "Failure";
  readonly terminal: boolean;
  readonly retryAfterMs: number | undefined;
  constructor(
    readonly error: Json,
    options: FailureOptions = {},
  ) {
    super(brief(error));
    this.terminal = options.terminal ?? false;
    this.retryAfterMs = options.retryAfterMs;
  }
}

function brief(error: Json): string {
  const message = error !== null && typeof error === "object" && "message" in error;
  return String(message ? error.message : JSON.stringify(error));
}

/** Returns the JSON value that stands for something thrown. */
export function recorded(thrown: unknown): Json {
  if (thrown instanceof Failure || thrown instanceof RecordedFailure) return thrown.error;
  if (thrown instanceof Error) return { name: thrown.name, message: thrown.message };
  return { name: "Error", message: String(thrown) };
}
