import type { Json } from "../json.js";

/** What the process of a case is to do. */
export interface Job {
  /** The folder of the whole test. */
  folder: string;
  /** The file of the store, with the run in it. */
  store: string;
  /** URL of the module that has the workflows. */
  module: string;
  runId: string;
  /** The commit at which the process is to die; 0 lets it live. */
  commit: number;
  isAfter: boolean;
  /** The file where it leaves what came. */
  answer: string;
}

/** What came of a process of a case. */
export type Came =
  /** nothing of the tree is left to do */
  | { end: "ended"; state: string; result: string; error: Json; commits: number }
  /** the library refused what the code did, as it is not what was recorded */
  | { end: "refused"; text: string }
  /** the run has not ended, and nothing will come due */
  | { end: "stuck"; reasons: string }
  /** it ended by itself before the run had */
  | { end: "exited"; how: string }
  /** it was at work for too long */
  | { end: "hung" }
  /** it was killed at its commit */
  | { end: "killed" };
