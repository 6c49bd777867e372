/** A thousand children, four worker processes, two of them killed: the parent wakes once. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Attempt, Store } from "smolwf";

const CHILDREN = 1000;

/** The children, as the parent was told. */
let ids: readonly string[] = [];

async function total(attempt: Attempt): Promise<number> {
  const items = Array.from({ length: CHILDREN }, (_, at) => ({
    name: "square",
    workflow: "square",
    args: at + 1,
    queue: "children",
  }));
  ids = await attempt.children(items);
  if (attempt.number === 1)
    console.log(`one parent submitted ${ids.length} children in one commit`);
  const waits = ids.map((child) => ({ child }));
  const squares = (await attempt.all<number>("join", waits)) ?? [];
  return squares.reduce((sum, { value }) => sum + value, 0);
}

const square = (attempt: Attempt, n: number): Promise<number> =>
  attempt.step("square", () => n * n);

/** A worker process: works until its stdin is closed. */
async function worker(path: string): Promise<void> {
  const stop = new AbortController();
  process.stdin.on("end", () => stop.abort()).resume();
  await using store = await Store.open(path);
  await store.work({ square }, { queue: "children", signal: stop.signal });
}

function startWorker(path: string): ChildProcess {
  const program = fileURLToPath(import.meta.url);
  return spawn(process.execPath, [program, path, "worker"], {
    stdio: ["pipe", "inherit", "inherit"],
  });
}

/** Kills two at random moments while between 100 and 900 children are finished. */
async function killTwo(store: Store, workers: ChildProcess[]): Promise<void> {
  const open = new Set(ids);
  let killed = 0;
  while (killed < 2) {
    await pause(Math.random() * 20);
    for (const run of await Promise.all([...open].map((id) => store.runs.get(id)))) {
      if (run.state === "completed") open.delete(run.run_id);
    }
    const finished = ids.length - open.size;
    assert.ok(
      finished <= 900,
      `${finished} were finished before ${killed + 1} workers were killed`,
    );
    if (finished < 100) continue;
    const victim = workers[killed];
    victim?.kill("SIGKILL");
    if (victim) await once(victim, "exit");
    killed += 1;
  }
  console.log(`${killed} of ${workers.length} workers were killed`);
}

async function checkChildren(store: Store): Promise<void> {
  for (const id of ids) {
    const { run, steps } = await store.runs.history(id);
    assert.equal(run.state, "completed");
    assert.equal(steps.length, 1);
    assert.equal(steps[0]?.state, "completed");
  }
  console.log("every child's result was recorded once");
}

async function main(path: string): Promise<void> {
  await using store = await Store.open(path);
  await store.init();
  const { runId } = await store.runs.submit("total", null, { queue: "parents" });
  const workers = [1, 2, 3, 4].map(() => startWorker(path));
  const first = await store.runs.claim({ queue: "parents" });
  assert.equal((await first?.perform(total))?.state, "suspended");
  await killTwo(store, workers);
  const second = await store.runs.claim({ queue: "parents", waitMs: -1 });
  const outcome = await second?.perform(total);
  assert.equal((await store.runs.get(runId)).attempts, 2);
  console.log("the parent woke once");
  assert.ok(outcome?.state === "completed");
  console.log(`the sum is ${outcome.result}`);
  await checkChildren(store);
  for (const one of workers) one.stdin?.end();
  await Promise.all(workers.slice(2).map((one) => once(one, "exit")));
}

const [path = "fanout.db", mode] = process.argv.slice(2);
await (mode === "worker" ? worker(path) : main(path));
