/** The library's documents, with their keys as the library writes them. Keys are only ever added. */
import type { Json } from "./json.js";
import type { Integer } from "./numbers.js";

export type RunState =
  | "pending"
  | "running"
  | "waiting"
  | "paused"
  | "completed"
  | "failed"
  | "cancelled";

export interface RunDocument<Result = Json> {
  run_id: string;
  task_id: string | null;
  root_run_id: string;
  parent_run_id: string | null;
  workflow: string;
  queue: string;
  state: RunState;
  priority: number;
  args: Json;
  result: Result | null;
  error: Json;
  attempts: number;
  tries: number;
  max_tries: number;
  run_at_ms: number;
  created_at_ms: number;
  updated_at_ms: number;
  finished_at_ms: number | null;
  metadata: Json;
  code_version: string | null;
  waiting_for: Json;
  /** A running attempt was told to end and has not done so yet. */
  cancel_asked: boolean;
  /** A running attempt was told to yield and has not done so yet. */
  pause_asked: boolean;
  /** What the newest failed attempt of an open run ended with. */
  last_error: Json;
  /** When a pending run may be claimed: the end of its backoff or delay; else null. */
  due_at_ms: number | null;
}

/** What a run of a list shows only if `include` names it. */
export type RunPayload = "args" | "result" | "error" | "metadata" | "waiting_for";

/** A run of a list: its document without payloads; `include` brings them, "error" the last one too. */
export interface RunItem
  extends Omit<RunDocument, RunPayload | "last_error">,
    Partial<Pick<RunDocument, RunPayload | "last_error">> {}

export interface RunPage {
  items: RunItem[];
  /** The cursor of the page after this one, null after the last. */
  next: string | null;
  /** How many runs were looked at for it. */
  looked_at: number;
}

/** What was done to many runs. */
export interface ActDocument {
  /** How many runs the filter let through. */
  matched: number;
  /** How many of them were acted on; 0 of a dry run. */
  done: number;
  /** The others, with the code that the call on that one run answers. */
  refused: { run_id: string; code: number }[];
  /** There may be further runs: call again. */
  more: boolean;
}

export interface ExplainDocument {
  run_id: string;
  state: RunState;
  /** At least one, the most telling first. */
  reasons: ReasonDocument[];
}

/** Why a run is where it is. */
export interface ReasonDocument {
  code: ReasonCode;
  /** The same as a sentence. */
  text: string;
  /** When it began, null when that is not known. */
  since_ms: number | null;
  /** What it was concluded from. */
  evidence: { readonly [key: string]: Json };
  /** What to do, null when there is nothing. */
  hint: string | null;
}

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

export interface AttemptDocument {
  attempt_id: string;
  number: number;
  worker: string | null;
  state: string;
  started_at_ms: number;
  ended_at_ms: number | null;
  error: Json;
}

export interface StepDocument {
  step_id: string;
  name: string;
  occurrence: number;
  kind: string;
  state: string;
  tries: number;
  input_hash: string | null;
  result: Json;
  error: Json;
  started_at_ms: number | null;
  ended_at_ms: number | null;
}

export interface EventDocument {
  seq: number;
  run_id: string;
  type: string;
  payload: Json;
  at_ms: number;
}

export interface HistoryDocument {
  run: RunDocument;
  attempts: AttemptDocument[];
  steps: StepDocument[];
  signals: Json[];
  children: Json[];
  events: EventDocument[];
  next: string | null;
}

export interface BudgetDocument {
  units: Record<
    string,
    { limit: Integer | null; reserved: Integer; spent: Integer; remaining: Integer | null }
  >;
}

export interface MigrationDocument {
  id: number;
  introduced_version: string;
  applied_time: number;
}

export interface EventPage {
  items: EventDocument[];
  /** Number of the oldest event that the store has: those before it were pruned. */
  first_seq: number;
  /** Number of the newest. */
  last_seq: number;
}

/** What a wait for events found. */
export interface EventsFound extends EventPage {
  /** After what to look next. */
  next_seq: number;
}

/** How a store stands. */
export interface StatsDocument {
  at_ms: number;
  runs: RunCounts;
  /** Since when the run that waits longest for a worker could be claimed, null when none waits. */
  oldest_ready_at_ms: number | null;
  /** How long that is. */
  oldest_ready_for_ms: number | null;
  /** When something comes due by itself next. */
  next_due_at_ms: number | null;
  /** As `store.queues.list()` has them. */
  queues: QueueDocument[];
  /** Limits that are reached, at most 100. */
  full: FullDocument[];
  /** As `store.owners()` has them. */
  owners: OwnerDocument[];
  file: FileDocument;
  /** What this process wrote since it opened the file; null for a handle that only reads. */
  writer: WriterDocument | null;
}

/** Runs by state. */
export interface RunCounts {
  /** Exact unless runs between the oldest and the newest are gone. */
  total: number;
  pending: number;
  running: number;
  waiting: number;
  paused: number;
  completed: number;
  failed: number;
  cancelled: number;
  /** The counts that stopped at their bound: so many or more. `runs.count` counts on. */
  at_least: string[];
  /** The counts that may be fewer for it. */
  at_most: string[];
}

/** A limit of a queue that is reached, and who fills it. */
export interface FullDocument {
  queue: string;
  /** Null for the limit of the whole queue. */
  concurrency_key: string | null;
  limit: number;
  running: number;
  /** Of those that run, at most 10. */
  run_ids: string[];
}

/** Size of a store's file. */
export interface FileDocument {
  page_bytes: number;
  pages: number;
  /** Of all pages. */
  bytes: number;
  /** Of those that hold nothing. */
  free_bytes: number;
  /** Of the write-ahead log beside it. */
  log_bytes: number;
}

/** What a process wrote since it opened the file. */
export interface WriterDocument {
  /** Writes that come together share a commit. */
  commits: number;
  writes: number;
  /** The most writes of one commit. */
  largest_batch: number;
  /** Commits by how many writes they hold. */
  batches: { "1": number; "2_7": number; "8_63": number; "64_up": number };
  /** Syncs for them. */
  syncs: number;
  /** Commits that the sync of another process covered. */
  syncs_shared: number;
  /** How often another process had its turn to write. */
  turn_waits: number;
  /** How long in all. */
  turn_wait_ms: number;
  /** Whose the writes were; first those that took longest. */
  calls: { call: string; writes: number; took_ms: number; longest_ms: number }[];
}

/** A queue as it stands. */
export interface QueueDocument {
  queue: string;
  /** Its limit, null for none. */
  concurrency: number | null;
  /** Its limit for each concurrency key, null for none. */
  concurrency_per_key: number | null;
  paused: boolean;
  /** Runs that a worker has. */
  running: number;
  /** Runs that could be claimed. */
  ready: number;
  /** Runs that are not due yet. */
  delayed: number;
  /** Runs that are parked. */
  waiting: number;
  /** Runs that stand behind another with their concurrency key. */
  blocked: number;
  /** Since when the one that waits longest could be claimed. */
  oldest_ready_at_ms: number | null;
  /** When a run of it was last claimed; it may be a second behind. */
  last_claimed_at_ms: number | null;
  /** The counts that stopped at their bound: so many or more. */
  at_least: string[];
}

/** An open store that has claimed, in whichever process. */
export interface OwnerDocument {
  owner_id: string;
  pid: number;
  /**
   * False when its process is gone: the next claim of any takes its runs back. Null when this handle,
   * which only reads, cannot tell.
   */
  alive: boolean | null;
  /** When it first claimed. */
  opened_at_ms: number;
  /** How many runs it has. */
  running: number;
  /** When it claimed the first of them. */
  oldest_lease_at_ms: number | null;
}
