import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  ConflictError,
  Failure,
  NondeterminismError,
  RecordedFailure,
  Suspended,
} from "../src/index.js";
import { claimed, memory } from "./support.js";

test("a finished step replays and its work is not done again", async (t) => {
  const store = await memory(t);
  await store.runs.submit("w");
  const first = await claimed(store);
  const at = new Date(0);
  assert.deepEqual(await first.step("a", () => ({ at })), { at: at.toISOString() });
  await first.release();
  const second = await claimed(store);
  const undone = (): never => assert.fail("the work was done again");
  assert.deepEqual(await second.step("a", undone), { at: at.toISOString() });
  assert.equal(await second.step("a", () => 2), 2);
});

test("a step tells its id, its occurrence and its tries", async (t) => {
  const store = await memory(t);
  await store.runs.submit("w");
  const attempt = await claimed(store);
  await attempt.step("a", (step) => {
    assert.match(step.id, /^step_/);
    assert.deepEqual([step.name, step.occurrence, step.state], ["a", 1, "run"]);
  });
  await attempt.step("a", (step) => assert.equal(step.occurrence, 2), { kind: "tool" });
  const { steps } = await store.runs.history(attempt.runId);
  assert.deepEqual(
    steps.map((one) => [one.kind, one.occurrence]),
    [
      ["step", 1],
      ["tool", 2],
    ],
  );
});

test("a failed step backs off, and fails for good when its tries are used up", async (t) => {
  const store = await memory(t);
  await store.runs.submit("w");
  const attempt = await claimed(store);
  const fail = (): never => {
    throw new Failure({ status: 503 }, { retryAfterMs: 50 });
  };
  const step = (): Promise<unknown> => attempt.step("a", fail, { maxTries: 2 });
  await assert.rejects(step(), Suspended);
  await assert.rejects(step(), Suspended);
  await store.advanceClock(50);
  await assert.rejects(step(), { name: "RecordedFailure", error: { status: 503 }, of: "step a" });
  assert.equal(await attempt.step("a", () => "next"), "next");
});

test("a recorded failure replays, and ends a run that does not catch it", async (t) => {
  const store = await memory(t);
  await store.runs.submit("w");
  const attempt = await claimed(store);
  const broken = new Failure("no", { terminal: true });
  await assert.rejects(
    attempt.step("a", () => Promise.reject(broken)),
    RecordedFailure,
  );
  await attempt.release();
  const outcome = await (await claimed(store)).perform((again) => again.step("a", () => 1));
  const error = { type: "RecordedFailure", message: 'step a failed: "no"', cause: "no" };
  assert.deepEqual(outcome, { state: "failed", error });
});

test("another input than recorded is refused", async (t) => {
  const store = await memory(t);
  await store.runs.submit("w");
  const attempt = await claimed(store);
  await attempt.step("a", () => 1, { input: { x: 1, y: 2 } });
  await attempt.release();
  await using again = await claimed(store);
  await assert.rejects(
    again.step("a", () => 1, { input: { y: 3 } }),
    NondeterminismError,
  );
  assert.equal(await again.step("a", () => 0, { input: { y: 2, x: 1 } }), 1);
});

test("steps of different names run side by side, of one name by their occurrence", async (t) => {
  const store = await memory(t);
  await store.runs.submit("w");
  const outcome = await (await claimed(store)).perform(async (attempt) => {
    const slow = attempt.step("same", () => new Promise((resolve) => setImmediate(resolve, 1)));
    const names = ["b", "c", "d"].map((name) => attempt.step(name, () => name));
    const counted = attempt.step("same", () => 2, { occurrence: 2 });
    return Promise.all([slow, counted, ...names]);
  });
  assert.deepEqual(outcome, { state: "completed", result: [1, 2, "b", "c", "d"] });
});

test("a step without a helper is begun, ended and freed by hand", async (t) => {
  const store = await memory(t);
  await store.runs.submit("w");
  await using attempt = await claimed(store);
  {
    using step = await attempt.begin("a", { track: true, maxTries: 3, durability: "process" });
    assert.equal(await step.fail(new Failure("once"), { retryAfterMs: 1_000 }), true);
    assert.equal(step.retryAtMs, store.nowMs + 1_000);
  }
  await assert.rejects(attempt.begin("a"), Suspended);
  await store.advanceClock(1_000);
  using step = await attempt.begin("a");
  assert.equal(step.tries, 2);
  await step.complete("x");
  await step.complete("x");
  await assert.rejects(step.complete("y"), ConflictError);
});

test("a step that is forgotten is freed when it is collected", async (t) => {
  const store = await memory(t);
  await store.runs.submit("w");
  await using attempt = await claimed(store);
  const forget = async (): Promise<void> => {
    await attempt.begin("a");
  };
  await forget();
  await assert.rejects(attempt.begin("a"), ConflictError);
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let tries = 0; tries < 100; tries += 1) {
    collect();
    // Callbacks of collected objects run in a turn of their own.
    await new Promise((resolve) => setTimeout(resolve, 5));
    const step = await attempt.begin("a").catch(() => undefined);
    if (step) return step.free();
  }
  assert.fail("the step was not freed");
});
