/** Code that is not what was recorded: no end of it is stored, whichever call says so, whoever catches it. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Attempt, Json, RunDocument, Workflow } from "../src/index.js";
import { memory, onDisk } from "./support.js";

/** Plays a run of two tries by a strict worker: the first records a step and fails, the second is `last`. */
async function strictly(t: TestContext, last: Workflow): Promise<RunDocument> {
  const store = await onDisk(t);
  const w = async (attempt: Attempt): Promise<unknown> => {
    if (attempt.number > 1) return await last(attempt, null);
    await attempt.step("charge", () => 1);
    throw new Error("the first one fails");
  };
  const options = { maxTries: 2, backoffInitialMs: 1 };
  const { runId } = await store.runs.submit("w", null, options);
  const worker = store.worker({ w }, { strict: true, log: "off" });
  const run = await store.runs.wait(runId);
  await worker.stop();
  assert.ok(run);
  return run;
}

const ENDS: Readonly<Record<string, Workflow>> = {
  "by its result": () => 1,
  "by itself, and catches that": (attempt) => attempt.complete(1).catch(() => 1),
  "in a transaction": (attempt) => attempt.completeIn((tx) => tx.query("SELECT 1")),
};

for (const [how, last] of Object.entries(ENDS)) {
  test(`a strict attempt that ends ${how} without what is recorded has failed`, async (t) => {
    const { state, tries, attempts, error } = await strictly(t, last);
    assert.deepEqual([state, tries, attempts], ["failed", 2, 2]);
    assert.match(
      JSON.stringify(error),
      /"SW_ERR_NONDETERMINISM".*step \\"charge\\" occurrence 1 is rec/,
    );
  });
}

test("a strict attempt that asks for all completes", async (t) => {
  const run = await strictly(t, (attempt) => attempt.step("charge", () => 2));
  assert.deepEqual([run.state, run.result], ["completed", 1]);
});

test("a wait that was recorded as another kind fails the attempt, whoever catches that", async (t) => {
  const store = await memory(t);
  const { runId } = await store.runs.submit("w", null, { maxTries: 2 });
  await store.signals.send(runId, "go", 1);
  const first = await store.runs.claim();
  const asks = async (attempt: Attempt): Promise<Json> => {
    await attempt.signalled("go");
    throw new Error("the first one fails");
  };
  await first?.perform(asks);
  await store.advanceClock(null);
  const second = await store.runs.claim();
  const others = async (attempt: Attempt): Promise<unknown> =>
    await attempt.any("go", [{ signal: "go" }]).catch(() => "caught");
  const outcome = await second?.perform(others);
  assert.equal(outcome?.state, "failed");
  const { state, error } = await store.runs.get(runId);
  assert.equal(state, "failed");
  assert.match(JSON.stringify(error), /"SW_ERR_NONDETERMINISM".*await \\"go\\" .* was recorded as/);
});

test("a clock moves to what comes due next, and not where nothing does", async (t) => {
  const store = await memory(t);
  assert.equal(await store.advanceClock(null), false);
  const runAtMs = store.nowMs + 5_000;
  await store.runs.submit("w", null, { runAtMs });
  assert.equal(await store.advanceClock(null), true);
  assert.equal(store.nowMs, runAtMs);
  assert.equal(await store.advanceClock(1), true);
});
