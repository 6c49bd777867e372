/// <reference types="node" preserve="true" />
/** Durable workflows in one SQLite file. See README.md. */
import { library } from "./library.js";

export { Attempt } from "./attempt.js";
export type { ChildItem, ChildOptions } from "./child.js";
export type * from "./documents.js";
export * from "./errors.js";
export type { EventFilter, EventWaitOptions, TailOptions } from "./event.js";
export { EncodeError, type Json, RawJson, rawJson } from "./json.js";
export type { Action, RunFilter } from "./list.js";
export type { Integer } from "./numbers.js";
export type {
  Amounts,
  ClaimOptions,
  Durability,
  StepOptions,
  StoreOptions,
  SubmitOptions,
  WaitOptions,
} from "./options.js";
export type { Outcome, PerformOptions } from "./perform.js";
export type { QueueSettings } from "./queue.js";
export type { KeepRule, RetentionPolicy } from "./retention.js";
export type { KeyOf, PageOptions, Runs, SubmitItem, Submitted } from "./run.js";
export type { ScheduleSpec } from "./schedule.js";
export type { QueryOptions, Rows, SqlParam, SqlParams, SqlValue } from "./sql.js";
export { Step, type StepState } from "./step.js";
export { Store } from "./store.js";
export type {
  ClaimDelayed,
  EventName,
  Hooks,
  LogLevel,
  RunFacts,
  StepFacts,
  TellOptions,
  WorkerEvent,
} from "./told.js";
export type {
  Came,
  Changed,
  SentSignal,
  Transaction,
  TransactionWork,
  TxItem,
} from "./transaction.js";
export type { Ready, Wait } from "./wait.js";
export { Worker, type WorkOptions } from "./worker.js";
export {
  type Named,
  type Workflow,
  type WorkflowEntry,
  type Workflows,
  workflow,
} from "./workflow.js";

/** Returns a new id, `<prefix>_<26 characters>`, later ones greater as text. */
export function newId(prefix: string): string {
  return library().call("sw_new_id", prefix).text ?? "";
}

/** Returns a text as JSON string, written by the library. */
export function jsonQuote(text: string): string {
  return library().call("sw_json_quote", text).text ?? "";
}

/** What the loaded library says about itself. */
export interface Version {
  /** `major.minor.patch` */
  version: string;
  /** The same as a number: `major << 16 | minor << 8 | patch`. */
  number: number;
  /** The version of the ABI, the end of the library's name. */
  abi: number;
  /** What it was built with. */
  build: unknown;
}

/** Returns what the loaded library says about itself. */
export function version(): Version {
  const own = library();
  return {
    version: own.ask("sw_version") as string,
    number: own.ask("sw_version_number") as number,
    abi: own.ask("sw_abi_version") as number,
    build: JSON.parse(own.ask("sw_build_info") as string),
  };
}
