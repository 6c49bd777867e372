/** Works until nothing of a tree is left to do. */
import type { Attempt } from "../attempt.js";
import type { RunItem } from "../documents.js";
import { toJson } from "../json.js";
import { performTelling } from "../perform.js";
import type { Store } from "../store.js";
import { Teller } from "../told.js";
import { claimsOf } from "../worker.js";
import type { WorkflowEntry } from "../workflow.js";
import type { Came } from "./came.js";
import { refusalIn } from "./refusal.js";

const OPEN = ["pending", "running", "waiting", "paused"] as const;

type Entries = ReadonlyMap<string, WorkflowEntry>;

/** Performs what is to be claimed, and moves the clock when nothing is; resolves to what came of a run. */
export async function work(store: Store, runId: string, workflows: Entries): Promise<Came> {
  const before = await commitsOf(store);
  for (;;) {
    const attempt = await claim(store, workflows);
    if (attempt) {
      const refused = await perform(attempt, workflows);
      if (refused !== undefined) return { end: "refused", text: refused };
    } else if (!(await store.advanceClock(null))) {
      return came(store, runId, workflows, (await commitsOf(store)) - before);
    }
  }
}

async function commitsOf(store: Store): Promise<number> {
  return (await store.stats()).writer?.commits ?? 0;
}

async function open(store: Store): Promise<RunItem[]> {
  const found: RunItem[] = [];
  for await (const run of store.runs.list({ state: OPEN })) found.push(run);
  return found;
}

/** Claims as a worker does, from each queue that a run is in. */
async function claim(store: Store, workflows: Entries): Promise<Attempt | undefined> {
  const queues = new Set((await open(store)).map((run) => run.queue));
  const leaseMs = "while-alive";
  const claims = [...queues].flatMap((queue) =>
    claimsOf(workflows, { queue, leaseMs, strict: true }),
  );
  return (await store.runs.claimFirst(claims, 1, { waitMs: 0 }))[0];
}

/** Performs as a worker does; resolves to why the library refused what the code did, if it has. */
async function perform(attempt: Attempt, workflows: Entries): Promise<string | undefined> {
  const entry = workflows.get(attempt.workflow);
  let refused: string | undefined;
  const onEvent = (event: object): void => {
    if ("error" in event) refused ??= refusalIn(event.error)?.text;
  };
  if (entry) {
    await performTelling(attempt, entry.run, new Teller({ log: "off", hooks: { onEvent } }));
  }
  return refused;
}

async function came(
  store: Store,
  runId: string,
  workflows: Entries,
  commits: number,
): Promise<Came> {
  const run = await store.runs.get(runId);
  if (run.finished_at_ms === null)
    return { end: "stuck", reasons: await why(store, runId, workflows) };
  const { state, error } = run;
  return { end: "ended", state, error, result: toJson(run.result) ?? "null", commits };
}

/** Why a run does not go on, and what may be the cause of it. */
async function why(store: Store, runId: string, workflows: Entries): Promise<string> {
  const { reasons } = await store.runs.explain(runId);
  const unknown = (await open(store)).filter((run) => !workflows.has(run.workflow));
  const names = new Set(unknown.map((run) => JSON.stringify(run.workflow)));
  const lacks = [...names].map((name) => `no workflow ${name} is exported by the module`);
  return [...reasons.map((reason) => reason.text), ...lacks].join("; ");
}
