import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import type { Attempt } from "../attempt.js";
import type { RunItem, StepDocument } from "../documents.js";
import { type Json, toJson } from "../json.js";
import { type Outcome, performTelling } from "../perform.js";
import { Store } from "../store.js";
import { carriesControl, recorded } from "../thrown.js";
import { Teller } from "../told.js";
import { entriesOf, type Workflow, type Workflows } from "../workflow.js";
import { cut, sentenceOf } from "./judge.js";
import { type Refusal, refusalIn } from "./refusal.js";
import { type Difference, type DifferenceKind, ReplayReport } from "./report.js";

/** What {@link replay} is given: the text of an export, the file that has it, or what it is as JSON. */
export type Exported = string | URL | { readonly [key: string]: unknown };

/**
 * Runs code against the histories of runs that other code made: what `store.runs.export` gave. Each run
 * of the tree whose workflow is among these, and that has something recorded, is begun anew in a store in
 * memory, and must ask for all that is recorded and come to the same end. No step is run, and so nothing
 * of the outside is touched.
 *
 * Of a run that has not ended by its own code, the history may end anywhere: what the code begins behind
 * that is no difference.
 */
export async function replay(exported: Exported, workflows: Workflows): Promise<ReplayReport> {
  const entries = entriesOf(workflows);
  const store = await Store.openInMemory({ manualClock: true });
  try {
    await store.init();
    const { run_id: rootRunId } = await store.runs.import(textOf(exported));
    // Nothing is claimed but what is made of these.
    while ((await store.runs.actMany("pause", {})).more);
    const differences: Difference[] = [];
    let runs = 0;
    for (const run of await runsOf(store, rootRunId)) {
      const entry = entries.get(run.workflow);
      const steps = entry ? await stepsOf(store, run.run_id) : [];
      if (!entry || steps.length === 0) continue;
      runs += 1;
      const difference = await new Replay(store, run, entry.run).difference(steps);
      if (difference) differences.push(difference);
    }
    if (runs > 0) return new ReplayReport(runs, differences);
  } finally {
    await store.close();
  }
  throw new Error("no run of the document is of these workflows and has recorded anything");
}

function textOf(exported: Exported): string {
  if (exported instanceof URL) return readFileSync(exported, "utf8");
  if (typeof exported !== "string") return JSON.stringify(exported);
  return exported.trimStart().startsWith("{") ? exported : readFileSync(exported, "utf8");
}

async function runsOf(store: Store, rootRunId: string): Promise<RunItem[]> {
  const filter = { rootRunId, order: "oldest", include: ["result", "error"] } as const;
  const found: RunItem[] = [];
  for await (const run of store.runs.list(filter)) found.push(run);
  return found;
}

async function stepsOf(store: Store, runId: string): Promise<StepDocument[]> {
  const found: StepDocument[] = [];
  let cursor: string | undefined;
  do {
    const { steps, next } = await store.runs.history(runId, { cursor });
    found.push(...steps);
    cursor = next ?? undefined;
  } while (cursor !== undefined);
  return found;
}

/** Whether its own code has ended a run: nobody cancelled it, and no time was over. */
function hasEndedItself({ state, error = null }: RunItem): boolean {
  const isOfEngine = typeof error === "object" && error !== null && "$smolwf" in error;
  return state === "completed" || (state === "failed" && !isOfEngine);
}

type Found = readonly [kind: DifferenceKind, name: string, text: string];

/** One run, done again. */
class Replay {
  readonly #store: Store;
  readonly #run: RunItem;
  readonly #workflow: Workflow;
  readonly #isWhole: boolean;
  #refused: Refusal | undefined;
  /** What the code threw, if that was its own. */
  #thrown: { error: unknown } | undefined;
  #waits: readonly string[] = [];

  constructor(store: Store, run: RunItem, workflow: Workflow) {
    this.#store = store;
    this.#run = run;
    this.#workflow = workflow;
    this.#isWhole = hasEndedItself(run);
  }

  async difference(steps: readonly StepDocument[]): Promise<Difference | undefined> {
    const { run_id, workflow, queue } = this.#run;
    const fork = await this.#store.runs.fork(run_id, "");
    const flags = { strict: true, replayOnly: true, leaseMs: "while-alive" } as const;
    const attempt = await this.#store.runs.claim({ queue, workflows: [workflow], ...flags });
    if (attempt?.runId !== fork) throw new Error(`the fork of ${run_id} cannot be claimed`);
    const outcome = await this.#perform(attempt);
    const found = await this.#found(fork, steps, outcome);
    // The next fork is to be the only one again.
    while ((await this.#store.runs.actMany("cancel", { state: ["pending", "waiting"] })).more);
    return found && { run_id, workflow, kind: found[0], name: found[1], text: found[2] };
  }

  /** As a worker does. */
  #perform(attempt: Attempt): Promise<Outcome> {
    const played: Workflow = async (_, args) => {
      try {
        return await this.#workflow(attempt, args);
      } catch (error) {
        if (!carriesControl(error)) this.#thrown = { error };
        throw error;
      } finally {
        await attempt.calls.settled();
        this.#refused = refusalIn(attempt.calls.refusal);
        if (this.#refused) this.#thrown = undefined;
        if (!this.#isWhole && !attempt.outcome) await this.#probe(attempt);
      }
    };
    const onEvent = (event: object): void => {
      if ("error" in event) this.#refused ??= refusalIn(event.error);
      if ("waiting_for" in event) this.#waits = event.waiting_for as string[];
    };
    return performTelling(attempt, played, new Teller({ log: "off", hooks: { onEvent } }));
  }

  /** Where the history has no end: has the code asked for all of it by its own? A strict end tells. */
  async #probe(attempt: Attempt): Promise<void> {
    try {
      await attempt.complete();
      if (this.#refused?.kind === "not_recorded") this.#refused = undefined;
    } catch (error) {
      const unasked = refusalIn(error);
      if (!unasked) throw error;
      if (this.#refused?.kind !== "input_changed") this.#refused = unasked;
    }
  }

  async #found(
    fork: string,
    steps: readonly StepDocument[],
    outcome: Outcome,
  ): Promise<Found | undefined> {
    if (this.#refused) return [this.#refused.kind, this.#refused.name, this.#refused.text];
    const child = this.#isWhole && (await this.#newChild(fork, steps));
    if (child) {
      const text = `child ${JSON.stringify(child.name)} is submitted, and history has none of it`;
      return ["not_recorded", child.name, text];
    }
    if (this.#isWhole && outcome.state === "suspended") {
      const [name = ""] = this.#waits;
      return ["waits", name, `the run ended, and its replay waits for ${this.#waits.join(", ")}`];
    }
    const other = this.#isWhole ? await this.#otherEnd(fork, outcome) : this.#newFailure();
    return other === undefined ? undefined : ["outcome", this.#run.workflow, other];
  }

  /** A child that the replay has submitted, and the run has not. */
  async #newChild(fork: string, steps: readonly StepDocument[]): Promise<StepDocument | undefined> {
    const submitOf = (step: StepDocument): string =>
      step.kind === "child_submit" ? `${step.name} ${step.occurrence}` : "";
    const known = new Set(["", ...steps.map(submitOf)]);
    return (await stepsOf(this.#store, fork)).find((step) => !known.has(submitOf(step)));
  }

  /** What the code throws where the run has not ended, and has never failed. */
  #newFailure(): string | undefined {
    const { finished_at_ms, last_error = null } = this.#run;
    if (finished_at_ms !== null || last_error !== null || !this.#thrown) return undefined;
    return `the run is open, and its replay fails: ${sentenceOf(recorded(this.#thrown.error))}`;
  }

  async #otherEnd(fork: string, outcome: Outcome): Promise<string | undefined> {
    const hasCompleted = outcome.state === "completed";
    if (this.#run.state === "failed") {
      return hasCompleted ? "the run failed, and its replay completes" : undefined;
    }
    if (!hasCompleted) {
      const why = "error" in outcome ? sentenceOf(outcome.error) : outcome.state;
      return `the run completed, and its replay fails: ${why}`;
    }
    const { result } = await this.#store.runs.get(fork);
    const before: Json = this.#run.result ?? null;
    if (isDeepStrictEqual(before, result)) return undefined;
    const [one, other] = [before, result].map((value) => cut(toJson(value) ?? "null"));
    return `the run completed with ${one}, and its replay with ${other}`;
  }
}
