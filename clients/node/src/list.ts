/** Which runs are meant, and what is done with many of them at once. */
import type { RunPayload, RunState } from "./documents.js";
import { toJson } from "./json.js";
import type { Integer } from "./numbers.js";
import { snakeKeys } from "./options.js";
import { type Named, nameOf } from "./workflow.js";

/** Which runs are meant: those that every key lets through. What is left out lets all through. */
export interface RunFilter {
  /** In this state, or any of these; an empty list is refused. */
  state?: RunState | readonly RunState[];
  /** Of this workflow. */
  workflow?: string | Named;
  /** Of this queue. */
  queue?: string;
  /** The code version of the run. */
  codeVersion?: string;
  /** Name of the worker that runs it, or ran its newest attempt. */
  worker?: string;
  /** Direct children of this run; `NotFoundError` when there is none. */
  parentRunId?: string;
  /** The whole tree of this run, itself included; `NotFoundError` when there is none. */
  rootRunId?: string;
  /** No children. */
  rootsOnly?: boolean;
  /** Submitted then or later: Unix milliseconds. */
  createdFromMs?: Integer;
  /** Submitted before. */
  createdToMs?: Integer;
  /** Ended then or later. */
  finishedFromMs?: Integer;
  /** Ended, and before. */
  finishedToMs?: Integer;
  /** Each of these members, at most 16, is in the run's metadata, and equal. */
  metadata?: Readonly<Record<string, string | number | boolean | null>>;
  /** Key of its submit, in the scope of `workflow` unless `idempotencyScope` names another. */
  idempotencyKey?: string;
  /** Alone: all runs of that scope. "" is the one that workflows share. */
  idempotencyScope?: string;
  /** A part of the JSON text of the error, or of the last error of an open run. */
  errorContains?: string;
  /** As in the run's document. */
  cancelAsked?: boolean;
  /** Order of submission; the newest first, unless told otherwise. */
  order?: "newest" | "oldest";
  /** What the runs of a list show besides; "error" brings the last error too. */
  include?: readonly RunPayload[];
  /** `actMany` and `prune` say what they would do, and do nothing; other calls ignore it. */
  dryRun?: boolean;
}

/** What `actMany` does to each run: what the method of that name does to one. */
export type Action = "cancel" | "pause" | "resume" | "retry";

/** Returns a filter as the library reads it. */
export function filterText(filter: RunFilter): string | undefined {
  const { workflow, idempotencyKey, idempotencyScope, ...rest } = filter;
  const name = workflow === undefined ? undefined : nameOf(workflow);
  const scope = idempotencyKey === undefined ? idempotencyScope : (idempotencyScope ?? name);
  const own = { ...rest, workflow: name, idempotencyKey, idempotencyScope: scope };
  return toJson(snakeKeys(own));
}
