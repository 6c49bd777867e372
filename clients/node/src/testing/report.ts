import { AssertionError } from "node:assert";

/** What a crash does to a workflow that it should not. */
export type FindingKind =
  /** the outside world was touched more often than in the clean run */
  | "effect_twice"
  /** less often */
  | "effect_missing"
  /** a step was begun with another input than the recorded one */
  | "input_changed"
  /** the code went another way than what is recorded */
  | "not_replayed"
  /** the run ended otherwise than in the clean run, or its process ended by itself */
  | "outcome"
  /** the run did not end */
  | "stuck";

/** The process was killed right before or right after a commit; "clean" is the run without a kill. */
export type Moment = "before" | "after" | "clean";

/** One fault, at one kill point. */
export interface Finding {
  /** Which. */
  kind: FindingKind;
  /** The commit at which the process was killed, from 1; 0 in the clean run. */
  commit: number;
  /** Where at that commit. */
  moment: Moment;
  /** The effect; the step, sleep, await or child; else the workflow. */
  name: string;
  /** A sentence that says what happened, and what to do. */
  text: string;
}

/** What {@link crash} found. */
export class CrashReport {
  /** Commits that the workflow's process makes: it was killed before and after each. */
  readonly commits: number;
  /** The clean run, and the runs that were killed. */
  readonly cases: number;
  /** The faults, in the order of the kill points. */
  readonly findings: readonly Finding[];
  readonly #workflow: string;

  constructor(workflow: string, commits: number, findings: readonly Finding[]) {
    this.#workflow = workflow;
    this.commits = commits;
    this.cases = 1 + 2 * commits;
    this.findings = findings;
  }

  /** Throws an `AssertionError` with all that was found, if anything was. */
  check(): void {
    if (this.findings.length > 0) throw new AssertionError({ message: String(this) });
  }

  /** A line on the whole, and one for each kind and name that was found. */
  toString(): string {
    const lines = this.#lines();
    const counts = [counted(this.commits, "commit"), counted(this.cases, "case")];
    const found = counted(lines.length, "finding");
    return [`${this.#workflow}: ${[...counts, found].join(", ")}`, ...firstOf(lines)].join("\n");
  }

  #lines(): string[] {
    const alike = new Map<string, Finding[]>();
    for (const finding of this.findings) {
      const what = `${finding.kind} ${finding.name}`;
      alike.set(what, [...(alike.get(what) ?? []), finding]);
    }
    return [...alike].map(([what, [first, ...others]]) => {
      const where = first?.moment === "clean" ? "without a kill" : this.#where(first, others);
      return `${what}, ${where}: ${first?.text}`;
    });
  }

  #where(first: Finding | undefined, others: readonly Finding[]): string {
    const points = `at ${1 + others.length} of ${2 * this.commits} kill points`;
    return `${points}, first ${first?.moment} commit ${first?.commit}`;
  }
}

/** How a replay differs from what was recorded. */
export type DifferenceKind =
  /** the code begins what history has not */
  | "not_recorded"
  /** a step is begun with another input */
  | "input_changed"
  /** something recorded is not asked for, or as something else */
  | "not_replayed"
  /** the replay ends otherwise, or with another result */
  | "outcome"
  /** the run has ended, and its replay waits */
  | "waits";

/** The first difference of a run. */
export interface Difference {
  /** The run, as the document has it. */
  run_id: string;
  /** Its workflow. */
  workflow: string;
  /** Which difference. */
  kind: DifferenceKind;
  /** The step, sleep, await or child; else the workflow. */
  name: string;
  /** A sentence that says what happened. */
  text: string;
}

/** What {@link replay} found. */
export class ReplayReport {
  /** How many runs were replayed. */
  readonly runs: number;
  /** Of each run that differs the first difference. */
  readonly differences: readonly Difference[];

  constructor(runs: number, differences: readonly Difference[]) {
    this.runs = runs;
    this.differences = differences;
  }

  /** Throws an `AssertionError` with all differences, if there are any. */
  check(): void {
    if (this.differences.length > 0) throw new AssertionError({ message: String(this) });
  }

  /** A line on the whole, and one for each difference. */
  toString(): string {
    const { runs, differences } = this;
    const lines = differences.map(
      ({ kind, name, workflow, run_id, text }) =>
        `${kind} ${name}, in ${workflow} ${run_id}: ${text}`,
    );
    const counts = [counted(runs, "run"), counted(differences.length, "difference")];
    return [counts.join(", "), ...firstOf(lines)].join("\n");
  }
}

/** Lines that a text shows. */
const LINES_MAX = 20;

function firstOf(lines: readonly string[]): string[] {
  const more = lines.length - LINES_MAX;
  return more > 0 ? [...lines.slice(0, LINES_MAX), `and ${more} more`] : [...lines];
}

function counted(count: number, noun: string): string {
  return `${count || "no"} ${noun}${count === 1 ? "" : "s"}`;
}
