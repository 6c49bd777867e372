import { AsyncLocalStorage } from "node:async_hooks";
import type { Calls } from "./calls.js";
import { messageOf } from "./thrown.js";

/** Whose code runs: the calls of the attempt, through all that its function awaits and starts. */
const current = new AsyncLocalStorage<Calls>();

let isListening = false;

/** Promises of attempts that were rejected while nobody waited for them. */
const dropped = new WeakMap<Promise<unknown>, Calls>();

/**
 * Runs a workflow function so that a promise of its own which is rejected, and which nobody waits
 * for, fails that run and not the process. Listens from the first one on, as functions that were
 * left behind may reject at any time.
 */
export function inAttempt<T>(calls: Calls, run: () => Promise<T>): Promise<T> {
  if (!isListening) {
    isListening = true;
    process.on("unhandledRejection", unhandled);
    process.on("rejectionHandled", handled);
  }
  return current.run(calls, run);
}

function unhandled(reason: unknown, promise: Promise<unknown>): void {
  const calls = current.getStore();
  if (calls) {
    dropped.set(promise, calls);
    calls.drop(promise, reason);
  } else if (process.listenerCount("unhandledRejection") === 1) {
    // None of ours, and nobody else listens: what would happen without this listener.
    if (!isLenient) throw reason;
    process.emitWarning(`a promise was rejected and nobody awaits it: ${messageOf(reason)}`);
  }
}

/** Whether Node was told not to end the process for such a promise. */
const isLenient = [...process.execArgv, ...(process.env["NODE_OPTIONS"] ?? "").split(/\s+/)].some(
  (option) => /^--unhandled-rejections=(warn|none)/.test(option),
);

function handled(promise: Promise<unknown>): void {
  dropped.get(promise)?.pickUp(promise);
}
