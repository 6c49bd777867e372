/**
 * The library's documents, with their keys as the library writes them. Keys are only ever added.
 * Made from docs/schemas by scripts/documents.py: do not edit.
 */
import type { Json } from "./json.js";
import type { Integer } from "./numbers.js";

/** What a run of a list shows only if `include` names it. */
export type RunPayload = "args" | "result" | "error" | "metadata" | "waiting_for";

/** A run that an act on many is not for. */
export interface RefusedRun {
  /** The run's id. */
  run_id: string;
  /** What the call on this run alone would answer. */
  code: number;
}

/** What sw_run_act_many answers. */
export interface ActDocument {
  /** Runs that were meant, to the call's limit. */
  matched: number;
  /** Runs that it was done to; 0 in a dry run. */
  done: number;
  /** Runs that it cannot be done to. */
  refused: RefusedRun[];
  /** Whether there may be other runs that are meant. */
  more: boolean;
}

/** An attempt in a history. */
export interface AttemptDocument {
  /** The attempt's id. */
  attempt_id: string;
  /** Its number in the run: the fence. */
  number: number;
  /** The name that its worker claimed with. */
  worker: string | null;
  /** running, or how it ended. */
  state: "running" | "completed" | "failed" | "released" | "suspended" | "lost" | "cancelled";
  /** When it was claimed. */
  started_at_ms: number;
  /** When it ended; null while it runs. */
  ended_at_ms: number | null;
  /** What it failed with; null if it did not. */
  error: Json;
}

/** Commits by size. */
export interface BatchesDocument {
  /** Commits of one write. */
  "1": number;
  /** Of 2 to 7. */
  "2_7": number;
  /** Of 8 to 63. */
  "8_63": number;
  /** Of 64 or more. */
  "64_up": number;
}

/** A sum of a budget's ledger. */
export interface BudgetTotal {
  /** The workflow that spent. */
  workflow: string;
  /** The label of the steps; null for none. */
  kind: string | null;
  /** The unit. */
  unit: string;
  /** The sum. */
  spent: Integer;
  /** How many entries it is of. */
  entries: number;
}

/** One unit of a budget. */
export interface BudgetUnit {
  /** What may be spent; null: it is metered only. */
  limit: Integer | null;
  /** Where a budget.warning is appended; null: nowhere. */
  warn: Integer | null;
  /** What is promised to calls that run. */
  reserved: Integer;
  /** What was spent. */
  spent: Integer;
  /** limit - reserved - spent, below 0 if more was spent; null without a limit. */
  remaining: Integer | null;
}

/** What sw_budget_get answers: what a tree of runs may spend, and has. */
export interface BudgetDocument {
  /** The root whose budget it is. */
  root_run_id: string;
  /** By unit, what stands in it. */
  units: Record<string, BudgetUnit>;
  /** What was spent, by workflow, kind of step and unit; 1,000 at most. */
  totals: BudgetTotal[];
  /** There are more totals than are shown. */
  totals_cut: boolean;
}

/** The payload of the engine's event budget.warning. */
export interface BudgetWarning {
  /** The unit. */
  unit: string;
  /** Its limit. */
  limit: number | null;
  /** The amount that was reached. */
  warn: number | null;
  /** What was spent. */
  spent: number;
  /** What is promised. */
  reserved: number;
}

/** What the writes of one function came to. */
export interface CallDocument {
  /**
   * The function that wrote; sweep for what waits and cancels moved, sync for an answer that first
   * made safe what it had read.
   */
  call: string;
  /** Its writes. */
  writes: number;
  /** How long their work took within transactions, in sum. */
  took_ms: number;
  /** How long that of the longest took. */
  longest_ms: number;
}

/** A fault of a store. */
export interface FaultDocument {
  /** What was looked at. */
  check: string;
  /** What was found. */
  detail: string;
}

/** What sw_store_check answers. */
export interface CheckDocument {
  /** Nothing was found. */
  ok: boolean;
  /** What was found, 20 of a kind at most. */
  faults: FaultDocument[];
}

/**
 * pending: to be claimed, now or later; running: an attempt holds it; waiting: for what waiting_for
 * lists; paused: until it is resumed; completed, failed, cancelled: for good.
 */
export type RunState =
  | "pending"
  | "running"
  | "waiting"
  | "paused"
  | "completed"
  | "failed"
  | "cancelled";

/** A child in a history. */
export interface ChildDocument {
  /** The child's run. */
  run_id: string;
  /** Its workflow. */
  workflow: string;
  /** Its state. */
  state: RunState;
  /** When it was submitted. */
  created_at_ms: number;
  /** When it ended; null while it is open. */
  finished_at_ms: number | null;
}

/** What sw_store_compact answers. */
export interface CompactDocument {
  /** Pages by which the file is shorter. */
  freed_pages: number;
  /** Pages that hold nothing still. */
  left_pages: number;
}

/**
 * An error that the engine itself stores on a run, attempt or step. The host's own errors have no
 * $smolwf.
 */
export interface EngineErrorDocument {
  /**
   * tries: the run was lost as often as it may be; lapsed: the attempt was lost; timeout: the run's
   * time-out passed; cancelled: it, or a run above it, was cancelled; interrupted: a tracked step
   * began as often as it may and never ended.
   */
  $smolwf: "tries" | "lapsed" | "timeout" | "cancelled" | "interrupted";
  /** A sentence. */
  message: string;
  /** What the cancel gave as reason; absent if nothing. */
  reason?: Json;
}

/** An event of the log. */
export interface EventDocument {
  /** Its number: in commit order, without gaps. */
  seq: number;
  /** The run that it is about. */
  run_id: string;
  /** Its type: the host's, or the engine's budget.warning. */
  type: string;
  /** What was appended; null if nothing. */
  payload: Json;
  /** When it was appended. */
  at_ms: number;
}

/** What sw_event_read answers: a page of the log. */
export interface EventPage {
  /** The events, ascending. */
  items: EventDocument[];
  /** The smallest number that is still in the log; 0 if it is empty. */
  first_seq: number;
  /** The largest number in the log; 0 if it is empty. */
  last_seq: number;
  /** The number to go on with; in what sw_event_wait answers. */
  next_seq?: number;
}

/** What sw_event_wait answers: a page of the log. */
export interface EventsFound {
  /** The events, ascending; none where many were passed over. */
  items: EventDocument[];
  /** The smallest number that is still in the log; 0 if it is empty. */
  first_seq: number;
  /** The largest number in the log; 0 if it is empty. */
  last_seq: number;
  /** The number to go on with. */
  next_seq: number;
}

/** Which reason it is. */
export type ReasonCode =
  | "running"
  | "owner_silent"
  | "owner_dead"
  | "cancel_unheard"
  | "queue_paused"
  | "queue_full"
  | "key_full"
  | "not_due"
  | "backing_off"
  | "waits_signal"
  | "waits_child"
  | "waits_sleep"
  | "waits_budget"
  | "version_unclaimed"
  | "queue_unclaimed"
  | "local_owner"
  | "paused"
  | "behind_others"
  | "ended";

/** One reason why a run does not move. */
export interface ReasonDocument {
  /** Which reason it is. */
  code: ReasonCode;
  /** The same for people; may change. */
  text: string;
  /** Since when; null where that was not noted. */
  since_ms: number | null;
  /** What shows it, by code, as the header tells. */
  evidence: { readonly [key: string]: Json };
  /** What to do about it, for people. */
  hint: string | null;
}

/** What sw_run_explain answers: why a run does not move. */
export interface ExplainDocument {
  /** The run. */
  run_id: string;
  /** The state it is in. */
  state: RunState;
  /** The most telling first. */
  reasons: ReasonDocument[];
}

/** How large the store is. */
export interface FileDocument {
  /** Bytes of a page. */
  page_bytes: number;
  /** Pages of the database. */
  pages: number;
  /** Bytes of the database. */
  bytes: number;
  /** Those of them that hold nothing. */
  free_bytes: number;
  /** Bytes of the write-ahead log. */
  log_bytes: number;
}

/** A limit that is reached, and who fills it. */
export interface FullDocument {
  /** The queue. */
  queue: string;
  /** The concurrency key; null for the limit of the whole queue. */
  concurrency_key: string | null;
  /** How many may be held at once. */
  limit: number;
  /** How many are. */
  running: number;
  /** The first of them, 10 at most. */
  run_ids: string[];
}

/** What a waiting run waits for: one member of waiting_for. */
export type WaitDocument =
  | { signal: string }
  | { child: string }
  | { budget: string; amount: number }
  | { until_ms: number };

/** What sw_run_get answers: a run as it stands. */
export interface RunDocument<Result = Json> {
  /** The run's id. */
  run_id: string;
  /** The id of its place in the queue. */
  task_id: string;
  /** The root of its tree; itself for a root. */
  root_run_id: string;
  /** The run that submitted it as a child; null for a root. */
  parent_run_id: string | null;
  /** Name of the host's function. */
  workflow: string;
  /** Name of the queue. */
  queue: string;
  /** The state it is in. */
  state: RunState;
  /** The lower goes first. */
  priority: number;
  /** What was submitted, byte for byte; null if nothing. */
  args: Json;
  /** What it completed with; null until then. */
  result: Result | null;
  /** What it failed with or was cancelled with; null until then. */
  error: Json;
  /** Attempts so far, which counts claims. */
  attempts: number;
  /** Tries that were charged: failures and losses. */
  tries: number;
  /** Tries after which it fails for good. */
  max_tries: number;
  /** When it was first to be claimed. */
  run_at_ms: number;
  /** When it was submitted. */
  created_at_ms: number;
  /** When its state last changed. */
  updated_at_ms: number;
  /** When it ended; null while it is open. */
  finished_at_ms: number | null;
  /** The host's own object; null if there is none. */
  metadata: { readonly [key: string]: Json } | null;
  /** The version of the code that it asks for; null for any. */
  code_version: string | null;
  /** What a waiting run waits for, 100 entries at most; null in other states. */
  waiting_for: WaitDocument[] | null;
  /** A running attempt was told to end and has not done so yet. */
  cancel_asked: boolean;
  /** A running attempt was told to yield and has not done so yet. */
  pause_asked: boolean;
  /** What the newest failed attempt of an open run ended with; else null. */
  last_error: Json;
  /** When a pending run may be claimed: now, or the end of its delay or backoff; else null. */
  due_at_ms: number | null;
}

/** A signal in a history. */
export interface SignalDocument {
  /** Its name. */
  name: string;
  /** What was sent; null if nothing. */
  payload: Json;
  /** When it was sent. */
  sent_at_ms: number;
  /** An await has taken it. */
  consumed: boolean;
  /** The await that took it; null while none has, or when that is not known. */
  consumed_by: string | null;
}

/** A step, sleep, await or child submit in a history. */
export interface StepDocument {
  /** The step's id, the same in every attempt. */
  step_id: string;
  /** Its name. */
  name: string;
  /** Which of its name, from 1. */
  occurrence: number;
  /** The label that the host gave a step; else step, sleep, await or child_submit. */
  kind: string;
  /**
   * running: its start was recorded and no end; backing_off: it failed and is to be tried again;
   * waiting: an await that nothing has answered yet.
   */
  state: "running" | "completed" | "failed" | "backing_off" | "timed_out" | "waiting";
  /** Tries so far. */
  tries: number;
  /** Hash of the input in canonical form; null without input. */
  input_hash: string | null;
  /** What it completed with; else null. */
  result: Json;
  /** What it failed with last; else null. */
  error: Json;
  /** When its newest try began. */
  started_at_ms: number;
  /** When that ended; null while it runs or waits. */
  ended_at_ms: number | null;
}

/** What sw_run_history answers: one page of what happened to a run. */
export interface HistoryDocument {
  /** The run as it stands. */
  run: RunDocument;
  /** Attempts, by number. */
  attempts: AttemptDocument[];
  /** Steps, in the order of their recording. */
  steps: StepDocument[];
  /** Signals, in the order of their arrival. */
  signals: SignalDocument[];
  /** Children, in the order of their submits. */
  children: ChildDocument[];
  /** Events, by number. */
  events: EventDocument[];
  /** The cursor of the next page; null on the last. */
  next: string | null;
}

/** What sw_run_import answers. */
export interface ImportDocument {
  /** The topmost run, under the id that it has here. */
  run_id: string;
  /** Runs that came. */
  runs: number;
}

/** A table that was copied from store to store. */
export interface MovedTableDocument {
  /** Its name. */
  table: string;
  /** Its rows. */
  rows: number;
  /** A sum over what its rows hold, the same in any order, with which what came was compared. */
  sum: string;
}

/** What sw_store_graduate answers. */
export interface GraduateDocument {
  /**
   * Where the move stands: moved once the other store is in force, in_force where there is no move
   * any more.
   */
  state: "releasing" | "copying" | "comparing" | "moved" | "in_force";
  /** The table that is copied or compared; null otherwise. */
  table: string | null;
  /** Rows that were copied; while they are compared, those that were compared. */
  rows: number;
  /** Attempts that were released; of the whole move once it is done, else of this call. */
  released: number;
  /** The tables that were copied. */
  tables: MovedTableDocument[];
  /** The host's own tables, which do not move: 1000 at most; empty before the move is done. */
  left_behind: string[];
}

/**
 * A run as sw_run_list shows it: args, result, error, last_error, metadata and waiting_for are
 * there where include names them.
 */
export interface RunItem {
  /** The run's id. */
  run_id: string;
  /** The id of its place in the queue. */
  task_id: string;
  /** The root of its tree; itself for a root. */
  root_run_id: string;
  /** The run that submitted it as a child; null for a root. */
  parent_run_id: string | null;
  /** Name of the host's function. */
  workflow: string;
  /** Name of the queue. */
  queue: string;
  /** The state it is in. */
  state: RunState;
  /** The lower goes first. */
  priority: number;
  /** What was submitted, byte for byte; null if nothing. */
  args?: Json;
  /** What it completed with; null until then. */
  result?: Json;
  /** What it failed with or was cancelled with; null until then. */
  error?: Json;
  /** Attempts so far, which counts claims. */
  attempts: number;
  /** Tries that were charged: failures and losses. */
  tries: number;
  /** Tries after which it fails for good. */
  max_tries: number;
  /** When it was first to be claimed. */
  run_at_ms: number;
  /** When it was submitted. */
  created_at_ms: number;
  /** When its state last changed. */
  updated_at_ms: number;
  /** When it ended; null while it is open. */
  finished_at_ms: number | null;
  /** The host's own object; null if there is none. */
  metadata?: { readonly [key: string]: Json } | null;
  /** The version of the code that it asks for; null for any. */
  code_version: string | null;
  /** What a waiting run waits for, 100 entries at most; null in other states. */
  waiting_for?: WaitDocument[] | null;
  /** A running attempt was told to end and has not done so yet. */
  cancel_asked: boolean;
  /** A running attempt was told to yield and has not done so yet. */
  pause_asked: boolean;
  /** What the newest failed attempt of an open run ended with; else null. */
  last_error?: Json;
  /** When a pending run may be claimed: now, or the end of its delay or backoff; else null. */
  due_at_ms: number | null;
}

/** A step of the schema. */
export interface MigrationDocument {
  /** Its number. */
  id: number;
  /** The version of the library that brought it. */
  introduced_version: string;
  /** When it was applied. */
  applied_time: number;
}

/** A store handle that has claimed, and what it holds. */
export interface OwnerDocument {
  /** Its id. */
  owner_id: string;
  /** Its process. */
  pid: number;
  /**
   * Whether its process lives and has it open: if not, the next claim takes over what it holds.
   * null where that cannot be told.
   */
  alive: boolean | null;
  /** When it first claimed. */
  opened_at_ms: number;
  /** Runs that it holds. */
  running: number;
  /** When it claimed the run that it has held for longest. */
  oldest_lease_at_ms: number | null;
}

/** What sw_store_prune answers. */
export interface PruneDocument {
  /** Runs that were removed, or would be. */
  runs: number;
  /** Trees that are gone since this call, or would be. */
  trees: number;
  /** Bytes of JSON that the runs carried. */
  bytes: number;
  /** Whether there may be more to remove. */
  more: boolean;
}

/** A queue: its limits, what stands in it, when it was last claimed from. */
export interface QueueDocument {
  /** Its name. */
  queue: string;
  /** Runs that may be held at once; null without a limit. */
  concurrency: number | null;
  /** The same for each concurrency key. */
  concurrency_per_key: number | null;
  /** Nothing is claimed from it. */
  paused: boolean;
  /** Runs that attempts hold. */
  running: number;
  /** Runs that may be claimed, as far as limits let them. */
  ready: number;
  /** Runs that are not due. */
  delayed: number;
  /** Runs that are parked. */
  waiting: number;
  /** Runs behind another with their concurrency key. */
  blocked: number;
  /** Since when the run is ready that has been so for longest. */
  oldest_ready_at_ms: number | null;
  /** When something was last claimed from it; up to a second behind. */
  last_claimed_at_ms: number | null;
  /** Counts that stopped at their bound: so many, or more. */
  at_least: string[];
}

/** Which ended runs of a workflow stay by themselves. */
export interface RetentionRule {
  /** Milliseconds for which a completed run stays. */
  completed_ms?: number;
  /** The same for a failed one. */
  failed_ms?: number;
  /** The same for a cancelled one. */
  cancelled_ms?: number;
  /** So many of the newest ended ones stay, whatever their age. */
  keep_newest?: number;
}

/**
 * What sw_retention_set takes and sw_retention_get answers: which ended runs stay by themselves. It
 * has the members that were given.
 */
export interface RetentionDocument {
  /** Milliseconds for which a completed run stays. */
  completed_ms?: number;
  /** The same for a failed one. */
  failed_ms?: number;
  /** The same for a cancelled one. */
  cancelled_ms?: number;
  /** So many of the newest ended runs of each workflow stay, whatever their age. */
  keep_newest?: number;
  /** What else holds for the runs of a workflow, member by member. */
  workflows?: Record<string, RetentionRule>;
}

/** Runs by state. */
export interface RunCounts {
  /** Numbers that runs were given. */
  total: number;
  /** Runs that are pending. */
  pending: number;
  /** Runs that are running. */
  running: number;
  /** Runs that are waiting. */
  waiting: number;
  /** Runs that are paused. */
  paused: number;
  /** Runs that are completed. */
  completed: number;
  /** Runs that are failed. */
  failed: number;
  /** Runs that are cancelled. */
  cancelled: number;
  /** Counts that stopped at their bound: so many, or more. */
  at_least: string[];
  /** What a count that stopped leaves of the total: so many, or fewer. */
  at_most: string[];
}

/** What sw_run_list answers: a page of the runs that a filter means. */
export interface RunPage {
  /** The runs, in the filter's order; there may be none though others follow. */
  items: RunItem[];
  /** Cursor of the next page; null on the last. */
  next: string | null;
  /** Runs that the call looked at, listed or not. */
  looked_at: number;
}

/** A schedule as it stands. */
export interface ScheduleDocument {
  /** The schedule's name. */
  name: string;
  /** What it submits. */
  workflow: string;
  /** With which args; null if none. */
  args: Json;
  /** To which queue. */
  queue: string;
  /** The expression; null if it goes by an interval. */
  cron: string | null;
  /** The interval; null if it goes by an expression. */
  every_ms: number | null;
  /** The zone of the expression. */
  timezone: string;
  /** What happens while the run of the firing before is open. */
  overlap: "skip" | "queue";
  /** What happens to firings that nobody looked at in time. */
  catch_up: "none" | "last" | "all";
  /** Nothing fires. */
  paused: boolean;
  /** The next firing; null if there is none. */
  next_at_ms: number | null;
  /** The firing that the last run is for; null if there was none. */
  last_at_ms: number | null;
  /** That run. */
  last_run_id: string | null;
  /** Firings without a run since the run before was open. */
  skipped: number;
  /** Why it cannot fire; null if it can. */
  error: string | null;
}

/** What a process has written since it opened the file. */
export interface WriterDocument {
  /** Commits. */
  commits: number;
  /** Writes that they carried. */
  writes: number;
  /** Writes in the largest of them. */
  largest_batch: number;
  /** Commits by size. */
  batches: BatchesDocument;
  /** Syncs made for them. */
  syncs: number;
  /** Commits that another process' sync covered. */
  syncs_shared: number;
  /** Commits for which another process' turn was waited for. */
  turn_waits: number;
  /** How long, in sum. */
  turn_wait_ms: number;
  /** Whose the writes were; first those that took longest. */
  calls: CallDocument[];
}

/** What sw_store_stats answers: a store as a whole. */
export interface StatsDocument {
  /** When it was looked at. */
  at_ms: number;
  /** Runs by state. */
  runs: RunCounts;
  /** Since when the run is ready that has been so for longest. */
  oldest_ready_at_ms: number | null;
  /** How long that is. */
  oldest_ready_for_ms: number | null;
  /** When something comes due by itself next. */
  next_due_at_ms: number | null;
  /** As sw_queue_list answers. */
  queues: QueueDocument[];
  /** Limits that are reached, 100 at most. */
  full: FullDocument[];
  /** As sw_owner_list answers. */
  owners: OwnerDocument[];
  /** How large the store is. */
  file: FileDocument;
  /** What this process has written since it opened the file; null for a handle that only reads. */
  writer: WriterDocument | null;
}

/** The run of an item. */
export interface SubmittedDocument {
  /** The run. */
  run_id: string;
  /** It was there before. */
  exists: boolean;
}
