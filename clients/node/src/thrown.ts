/** What your code may throw, and what is made of it: anything at all can be recorded. */
import {
  BudgetError,
  CancelledError,
  ClosedError,
  Failure,
  ForgottenAwaitError,
  LeaseLostError,
  RecordedFailure,
  ResultError,
  Suspended,
  TransactionError,
  WorkerStopped,
} from "./errors.js";
import type { Json } from "./json.js";

/** Characters of a message or stack that are recorded at most. */
const TEXT_MAX = 8 * 1024;
/** Characters of a message where the full record was refused. */
const BRIEF_MAX = 200;
/** Errors of one cause chain or group that are recorded at most. */
const CAUSES_MAX = 8;

/** Reads a property of something thrown; a getter that throws has nothing to say. */
function read(thrown: unknown, key: string): unknown {
  try {
    return thrown === null || thrown === undefined
      ? undefined
      : (thrown as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

/** The errors of a group: an AggregateError, or one that a `using` block threw at its end. */
function members(thrown: unknown): readonly unknown[] {
  const name = read(thrown, "name");
  const errors = read(thrown, "errors");
  if (name === "AggregateError" && Array.isArray(errors)) return errors;
  if (name !== "SuppressedError") return [];
  return [read(thrown, "error"), read(thrown, "suppressed")];
}

/** Levels of causes and groups that are looked at: the stack is not endless. */
const LEVELS_MAX = 500;

type Test = (thrown: unknown) => boolean;

/** The answers so far: causes may go in circles, and groups share members. */
type Known = Map<unknown, boolean>;

/** Whether something thrown is, wraps, or as a group holds nothing but what passes a test. */
function carries(thrown: unknown, test: Test, known: Known = new Map(), level = 0): boolean {
  if (test(thrown)) return true;
  if (typeof thrown !== "object" || thrown === null || level === LEVELS_MAX) return false;
  const before = known.get(thrown);
  if (before !== undefined) return before;
  known.set(thrown, false);
  const group = members(thrown);
  const carried = (one: unknown): boolean => carries(one, test, known, level + 1);
  const answer = group.length > 0 ? group.every(carried) : carried(read(thrown, "cause"));
  known.set(thrown, answer);
  return answer;
}

const isSuspend: Test = (one) => one instanceof Suspended || one instanceof BudgetError;

const isControl: Test = (one) =>
  isSuspend(one) ||
  one instanceof CancelledError ||
  one instanceof LeaseLostError ||
  one instanceof ClosedError ||
  one instanceof WorkerStopped;

/** Whether it says that a wait is not over. */
export const carriesSuspend = (thrown: unknown): boolean => carries(thrown, isSuspend);

/** Whether it is about the attempt itself, and no failure of the work. */
export const carriesControl = (thrown: unknown): boolean => carries(thrown, isControl);

export const carriesCancel = (thrown: unknown): boolean =>
  carries(thrown, (one) => one instanceof CancelledError);

/** Whether it is what is thrown where an AbortSignal was heard. */
export function isAbort(thrown: unknown): boolean {
  return read(thrown, "name") === "AbortError";
}

/** Returns a group without its waits: with another error in it, it is that error. */
export function withoutWaits(thrown: unknown, level = 0): unknown {
  if (level === CAUSES_MAX) return thrown;
  const group = members(thrown);
  const others = group.filter((one) => !carriesSuspend(one));
  if (others.length === 0 || others.length === group.length) return thrown;
  return others.length === 1 ? withoutWaits(others[0], level + 1) : new AggregateError(others);
}

/** Every other attempt would come to the same. */
const isFinal: Test = (one) =>
  one instanceof RecordedFailure ||
  one instanceof ResultError ||
  one instanceof TransactionError ||
  one instanceof ForgottenAwaitError;

export interface FailedHow {
  /** Another try would replay it, or its author says so. */
  terminal: boolean;
  retryAfterMs?: number;
}

/** How a failure is to be recorded: as its author says; a memoised one fails in every attempt. */
export function failureOf(thrown: unknown): FailedHow {
  if (carries(thrown, isFinal)) return { terminal: true };
  let said: Failure | undefined;
  carries(thrown, (one) => {
    if (one instanceof Failure) said ??= one;
    return one instanceof Failure;
  });
  if (!said) return { terminal: false };
  const { terminal, retryAfterMs } = said;
  return retryAfterMs === undefined ? { terminal } : { terminal, retryAfterMs };
}

/** Returns the JSON value that stands for something thrown. */
export function recorded(thrown: unknown): Json {
  return thrown instanceof Failure ? thrown.error : described(thrown);
}

/** The same in few words, for what was refused as it is. */
export function recordedBriefly(thrown: unknown, refusal: unknown): Json {
  const why = messageOf(refusal).slice(0, BRIEF_MAX);
  const message = `${messageOf(thrown).slice(0, BRIEF_MAX)} (not recorded as thrown: ${why})`;
  return { type: typeOf(thrown), message: wellFormed(message) };
}

/** Returns `{type, message, stack, cause}`, with `errors` of a group. */
function described(thrown: unknown, seen: readonly unknown[] = []): Json {
  const known: Record<string, Json> = { type: typeOf(thrown), message: messageOf(thrown) };
  if (typeof thrown !== "object" || thrown === null) return known;
  const isPayload = thrown instanceof RecordedFailure || thrown instanceof Failure;
  if (isPayload) return { ...known, cause: thrown.error };
  const stack = traceOf(thrown);
  if (stack !== null) known["stack"] = stack;
  const path = [...seen, thrown];
  const isNew = (one: unknown): boolean => !path.includes(one) && path.length < CAUSES_MAX;
  const cause = read(thrown, "cause");
  if (cause !== undefined && isNew(cause)) known["cause"] = described(cause, path);
  const errors = members(thrown).slice(0, CAUSES_MAX).filter(isNew);
  if (errors.length > 0) known["errors"] = errors.map((one) => described(one, path));
  return known;
}

/** The class as JavaScript names it; of what is no error, its type. */
function typeOf(thrown: unknown): string {
  if (typeof thrown !== "object" || thrown === null) {
    return thrown === null ? "null" : typeof thrown;
  }
  const name = read(thrown, "name");
  const ofClass = read(read(thrown, "constructor"), "name");
  const named = typeof name === "string" && name !== "" && name !== "Error" ? name : ofClass;
  return typeof named === "string" && named !== "" ? wellFormed(named) : "Error";
}

/** Returns the sentence of something thrown, whatever it is. */
export function messageOf(thrown: unknown): string {
  const message = read(thrown, "message");
  const text = typeof message === "string" ? message : textOf(thrown);
  return wellFormed(text.slice(0, TEXT_MAX));
}

function textOf(thrown: unknown): string {
  try {
    const text = typeof thrown === "object" ? JSON.stringify(thrown) : undefined;
    return text ?? String(thrown);
  } catch {
    return "an error that cannot be written";
  }
}

/** Returns the stack of something thrown, at most its last 8 KiB; null if it has none. */
export function traceOf(thrown: unknown): string | null {
  const stack = read(thrown, "stack");
  return typeof stack === "string" ? wellFormed(stack.slice(-TEXT_MAX)) : null;
}

/** A text without half pairs of surrogates, which UTF-8 does not have. */
function wellFormed(text: string): string {
  return Buffer.from(text).toString();
}
