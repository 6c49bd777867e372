import assert from "node:assert/strict";
import { test } from "node:test";
import { CancelledError, ConflictError, workflow } from "../src/index.js";
import { library } from "../src/library.js";
import { aborted, claimed, memory, onDisk } from "./support.js";

test("a cancelled run is not claimed, and cancelling it again is fine", async (t) => {
  const store = await memory(t);
  const { runId } = await store.runs.submit("w");
  await store.runs.cancel(runId, { why: "not needed" });
  assert.equal((await store.runs.get(runId)).state, "cancelled");
  assert.equal(await store.runs.claim(), undefined);
});

test("a running attempt learns that it was cancelled", async (t) => {
  const store = await memory(t);
  const { runId } = await store.runs.submit("w");
  const attempt = await claimed(store);
  await store.runs.cancel(runId);
  await assert.rejects(attempt.check(), CancelledError);
  const outcome = await attempt.perform(async (again) => {
    await assert.rejects(
      again.step("a", () => 1),
      CancelledError,
    );
    await again.step("undo", () => 2, { cleanup: true });
    await again.check();
  });
  assert.deepEqual(outcome, { state: "cancelled" });
  assert.equal((await store.runs.get(runId)).state, "cancelled");
});

test("the heartbeat of an attempt aborts its signal when the run is cancelled", async (t) => {
  const store = await onDisk(t, { leaseDefaultMs: 1_000 });
  const { runId } = await store.runs.submit("w");
  const outcome = (await claimed(store)).perform(async ({ signal }) => {
    await store.runs.cancel(runId);
    await aborted(signal);
    assert.ok(signal.reason instanceof CancelledError);
    throw signal.reason;
  });
  assert.deepEqual(await outcome, { state: "cancelled" });
});

test("a paused run waits until it is resumed", async (t) => {
  const store = await memory(t);
  const { runId } = await store.runs.submit("w");
  await store.runs.pause(runId);
  assert.equal(await store.runs.claim(), undefined);
  await store.runs.resume(runId);
  await (await claimed(store)).complete();
  await assert.rejects(store.runs.pause(runId), ConflictError);
});

test("a failed run is tried again, and its results stay", async (t) => {
  const store = await memory(t);
  const { runId } = await store.runs.submit("w", null, { maxTries: 1 });
  await (await claimed(store)).perform(async (attempt) => {
    await attempt.step("a", () => 1);
    throw new Error("no luck");
  });
  await store.runs.retry(runId);
  const outcome = await (await claimed(store)).perform((again) => again.step("a", () => 2));
  assert.deepEqual(outcome, { state: "completed", result: 1 });
});

test("a fork has what was recorded before a step", async (t) => {
  const store = await memory(t);
  const { runId } = await store.runs.submit("w");
  const work = (n: number) => async (attempt: Parameters<typeof sum>[0]) => sum(attempt, n);
  await (await claimed(store)).perform(work(1));
  const forkId = await store.runs.fork(runId, "b");
  assert.notEqual(forkId, runId);
  const outcome = await (await claimed(store)).perform(work(10));
  assert.deepEqual(outcome, { state: "completed", result: 11 });
});

async function sum(attempt: Awaited<ReturnType<typeof claimed>>, n: number): Promise<number> {
  return (await attempt.step("a", () => n)) + (await attempt.step("b", () => n));
}

test("a queue has limits, and may be paused", async (t) => {
  const store = await memory(t);
  await store.queues.set("q", { concurrency: 1 });
  await store.runs.submitMany([
    { workflow: "w", queue: "q" },
    { workflow: "w", queue: "q" },
  ]);
  const first = await claimed(store, "q");
  assert.equal(await store.runs.claim({ queue: "q" }), undefined);
  await store.queues.set("q", { concurrency: 2, paused: true });
  assert.equal(await store.runs.claim({ queue: "q" }), undefined);
  await store.queues.set("q", { concurrency: 2, paused: false });
  await (await claimed(store, "q")).complete();
  await first.complete();
});

test("a schedule submits what is due", async (t) => {
  const store = await memory(t);
  await store.schedules.set("hourly", { workflow: "w", everyMs: 3_600_000, catchUp: "none" });
  const [one] = await store.schedules.list<{ name: string; workflow: string }>();
  assert.equal(one?.name, "hourly");
  await store.advanceClock(3_600_000);
  const attempt = await claimed(store);
  assert.equal(attempt.workflow, "w");
  await attempt.complete();
  await store.schedules.delete("hourly");
  assert.deepEqual(await store.schedules.list(), []);
});

test("an abort while many are claimed gives all of them back", async (t) => {
  const store = await memory(t);
  const made = await store.runs.submitMany([1, 2, 3].map((args) => ({ workflow: "w", args })));
  const runId = made[0]?.runId;
  const stop = new AbortController();
  const claim = store.runs.claimMany(3, { signal: stop.signal });
  // Not awaited: the answer of the claim is on its way to this thread when the abort comes.
  const state = (): string => {
    const { text } = library().call("sw_run_get", store.handle, runId);
    return JSON.parse(text ?? "{}").state;
  };
  while (state() !== "running");
  stop.abort(new Error("enough"));
  await assert.rejects(claim, /enough/);
  const again = await store.runs.claimMany(3);
  assert.equal(again.length, 3);
  for (const attempt of again) await attempt.complete();
});

test("a signal that many calls listen to warns of no leak", async (t) => {
  const store = await memory(t);
  const warnings: string[] = [];
  const warned = (warning: Error): unknown => warnings.push(warning.message);
  process.on("warning", warned);
  await store.runs.submit("w");
  await (await claimed(store)).perform(async ({ signal }) => {
    for (let n = 0; n < 40; n += 1) signal.addEventListener("abort", () => undefined);
  });
  await new Promise((resolve) => setImmediate(resolve));
  process.off("warning", warned);
  assert.deepEqual(warnings, []);
});

test("a named workflow is performed on a claimed attempt, and a night passes in no time", async (t) => {
  const store = await memory(t);
  const greet = workflow("greet", async (attempt, { name }: { name: string }) => {
    await attempt.sleep("overnight", 8 * 3_600_000);
    return attempt.step("send", (step) => `dear ${name}: ${step.id}`);
  });
  const run = await store.runs.submit(greet, { name: "Ada" });
  assert.equal((await (await claimed(store)).perform(greet)).state, "suspended");
  assert.equal(await store.runs.claim(), undefined);
  await store.advanceClock(8 * 3_600_000);
  assert.equal((await (await claimed(store)).perform(greet)).state, "completed");
  assert.match(await store.runs.result(run), /^dear Ada: step_/);
});
