/** Which ended runs go by themselves. */
import { toJson } from "./json.js";
import type { Integer } from "./numbers.js";
import { snakeKeys } from "./options.js";

/** For how long the ended runs of a workflow stay, and how many. */
export interface KeepRule {
  /** Milliseconds from the end of a completed run. */
  completedMs?: Integer;
  /** The same of a failed one. */
  failedMs?: Integer;
  /** The same of a cancelled one. */
  cancelledMs?: Integer;
  /** So many of the newest stay, whatever their age. */
  keepNewest?: number;
}

/**
 * The same of every workflow. Without a time for how a run ended, it stays for ever, unless `keepNewest`
 * alone is given: then all but the newest go.
 */
export interface RetentionPolicy extends KeepRule {
  /** What else holds for the runs of these, member by member. */
  workflows?: Readonly<Record<string, KeepRule>>;
}

/** Returns a policy as the library reads it. */
export function policyText(policy: RetentionPolicy): string | undefined {
  const { workflows, ...all } = policy;
  const rules = Object.entries(workflows ?? {}).map(([name, rule]) => [name, snakeKeys(rule)]);
  const named = workflows === undefined ? {} : { workflows: Object.fromEntries(rules) };
  return toJson({ ...snakeKeys(all), ...named });
}
