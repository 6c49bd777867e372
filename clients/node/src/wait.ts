import type { Json } from "./json.js";
import type { Integer } from "./numbers.js";

/** One thing to wait for. */
export type Wait = { signal: string } | { child: string } | { sleepMs: Integer };

/** What one wait of several brought: the signal's payload, the child's result or error, null. */
export interface Ready<T = Json> {
  /** Its place among the waits. */
  index: number;
  /** "failed" is a child that failed or was cancelled. */
  outcome: "ok" | "failed";
  /** The signal's payload, the child's result or error; null of a sleep. */
  value: T;
}
