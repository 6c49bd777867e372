import assert from "node:assert/strict";
import { test } from "node:test";
import { type Attempt, ConflictError, Failure, RecordedFailure, Suspended } from "../src/index.js";
import { claimed, memory, onDisk } from "./support.js";

test("a sleep parks the run until its time", async (t) => {
  const store = await memory(t);
  const { runId } = await store.runs.submit("w");
  const nap = async (attempt: Attempt): Promise<string> => {
    await attempt.sleep("nap", 1_000);
    return "awake";
  };
  assert.deepEqual(await (await claimed(store)).perform(nap), { state: "suspended" });
  assert.equal((await store.runs.get(runId)).state, "waiting");
  assert.equal(await store.runs.claim(), undefined);
  await store.advanceClock(1_000);
  const outcome = await (await claimed(store)).perform(nap);
  assert.deepEqual(outcome, { state: "completed", result: "awake" });
});

test("a waiting claim is woken when a sleep is over", async (t) => {
  const store = await onDisk(t);
  await store.runs.submit("w");
  const nap = (attempt: Attempt): Promise<void> => attempt.sleep("nap", 50);
  assert.deepEqual(await (await claimed(store)).perform(nap), { state: "suspended" });
  const attempt = await store.runs.claim({ waitMs: -1 });
  assert.deepEqual(await attempt?.perform(nap), { state: "completed", result: undefined });
});

test("signals are taken in order, each once", async (t) => {
  const store = await memory(t);
  const { runId } = await store.runs.submit("w");
  assert.equal(await store.signals.send(runId, "s", 1, "key"), true);
  assert.equal(await store.signals.send(runId, "s", 1, "key"), false);
  const two = async (attempt: Attempt): Promise<unknown> => [
    await attempt.signalled("s"),
    await attempt.signalled("s"),
  ];
  assert.deepEqual(await (await claimed(store)).perform(two), { state: "suspended" });
  await store.signals.send(runId, "s", { n: 2 });
  const outcome = await (await claimed(store)).perform(two);
  assert.deepEqual(outcome, { state: "completed", result: [1, { n: 2 }] });
});

test("a signal that does not come in time is undefined", async (t) => {
  const store = await memory(t);
  await store.runs.submit("w");
  const wait = async (attempt: Attempt): Promise<string> =>
    (await attempt.signalled<string>("s", { timeoutMs: 10 })) ?? "nobody";
  await (await claimed(store)).perform(wait);
  await store.advanceClock(11);
  const outcome = await (await claimed(store)).perform(wait);
  assert.deepEqual(outcome, { state: "completed", result: "nobody" });
});

test("a parent waits for its children, and sees their failures", async (t) => {
  const store = await memory(t);
  await store.runs.submit("parent");
  const parent = async (attempt: Attempt): Promise<unknown> => {
    const good = await attempt.child("good", "child", 3, { maxTries: 1 });
    const bad = await attempt.child("bad", "child", 0, { maxTries: 1 });
    const results = [await attempt.childResult(good)];
    await assert.rejects(attempt.childResult(bad), (error) => {
      if (error instanceof Suspended) throw error;
      assert.ok(error instanceof RecordedFailure);
      results.push(error.error);
      return true;
    });
    return results;
  };
  const child = (_: Attempt, n: number): number => {
    if (n === 0) throw new Failure("zero");
    return n * 2;
  };
  let outcome = await (await claimed(store)).perform(parent);
  assert.deepEqual(outcome, { state: "suspended" });
  for (let at = await store.runs.claim(); at; at = await store.runs.claim()) {
    outcome = await (at.workflow === "parent" ? at.perform(parent) : at.perform(child));
  }
  assert.deepEqual(outcome, { state: "completed", result: [6, "zero"] });
});

test("any takes the first that is ready, all wakes once", async (t) => {
  const store = await memory(t);
  const { runId } = await store.runs.submit("parent");
  const parent = async (attempt: Attempt): Promise<unknown> => {
    const ids = await attempt.children([
      { name: "c", workflow: "child", args: 1 },
      { name: "c", workflow: "child", args: 2 },
    ]);
    const waits = ids.map((child) => ({ child }));
    const first = await attempt.any("first", [{ signal: "stop" }, { sleepMs: 500 }]);
    const all = await attempt.all<number>("all", waits);
    return [first, all?.map(({ value }) => value)];
  };
  await (await claimed(store)).perform(parent);
  for (const _ of [1, 2]) {
    await (await claimed(store)).perform((_attempt, n: number) => n + 1);
  }
  assert.equal(await store.runs.claim(), undefined);
  await store.signals.send(runId, "stop", "now");
  const outcome = await (await claimed(store)).perform(parent);
  const first = { index: 0, outcome: "ok", value: "now" };
  assert.deepEqual(outcome, { state: "completed", result: [first, [2, 3]] });
});

test("steps under way end before the attempt parks", async (t) => {
  const store = await memory(t);
  const { runId } = await store.runs.submit("w");
  const both = (attempt: Attempt): Promise<unknown> =>
    Promise.all([
      attempt.step("slow", () => new Promise((resolve) => setTimeout(resolve, 30, "slow"))),
      attempt.sleep("nap", 1_000),
    ]);
  assert.deepEqual(await (await claimed(store)).perform(both), { state: "suspended" });
  const { steps } = await store.runs.history(runId);
  assert.equal(steps.find((step) => step.name === "slow")?.state, "completed");
});

test("an attempt that waits for nothing cannot be parked", async (t) => {
  const store = await memory(t);
  await store.runs.submit("w");
  await using attempt = await claimed(store);
  await assert.rejects(attempt.suspend(), ConflictError);
});
