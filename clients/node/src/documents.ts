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
