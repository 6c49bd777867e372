import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { BudgetError, Store } from "../src/index.js";
import { claimed, memory, onDisk } from "./support.js";

test("many are submitted and claimed in one commit", async (t) => {
  const store = await memory(t);
  const made = await store.runs.submitMany([
    { workflow: "w", args: 1, idempotencyKey: "a" },
    { workflow: "w", args: 2, metadata: { of: "two" } },
    { workflow: "w", args: 3, idempotencyKey: "a" },
  ]);
  assert.deepEqual(
    made.map((one) => one.exists),
    [false, false, true],
  );
  assert.equal(made[2]?.runId, made[0]?.runId);
  const attempts = await store.runs.claimMany(8, { worker: "many" });
  assert.deepEqual(
    attempts.map((one) => one.args),
    [1, 2],
  );
  for (const attempt of attempts) await attempt.complete();
  assert.deepEqual(await store.runs.claimMany(8), []);
});

test("an error of a list names the item", async (t) => {
  const store = await memory(t);
  const items = [{ workflow: "w" }, { workflow: "" }];
  await assert.rejects(store.runs.submitMany(items), { name: "SW_ERR_INVALID", message: /1/ });
  assert.equal(await store.runs.claim(), undefined);
});

test("a budget is reserved, spent and raised", async (t) => {
  const store = await memory(t);
  const { runId } = await store.runs.submit("w", null, { budget: { tokens: 100 } });
  const spend = (attempt: Awaited<ReturnType<typeof claimed>>): Promise<number> =>
    attempt.step("call", async (step) => {
      await attempt.reserve({ tokens: 80 }, { step });
      step.used({ tokens: 90n });
      return step.occurrence;
    });
  const twice = async (attempt: Awaited<ReturnType<typeof claimed>>): Promise<number[]> => [
    await spend(attempt),
    await spend(attempt),
  ];
  assert.deepEqual(await (await claimed(store)).perform(twice), { state: "suspended" });
  const { tokens } = (await store.budgets.get(runId)).units;
  assert.deepEqual([tokens?.limit, tokens?.reserved, tokens?.spent], [100, 0, 90]);
  assert.equal(tokens?.remaining, 10);
  await store.budgets.raise(runId, "tokens", 100);
  const outcome = await (await claimed(store)).perform(twice);
  assert.deepEqual(outcome, { state: "completed", result: [1, 2] });
});

test("a reserve that does not fit takes nothing", async (t) => {
  const store = await memory(t);
  const { runId } = await store.runs.submit("w", null, { budget: { usd_micros: 10 } });
  await using attempt = await claimed(store);
  await assert.rejects(attempt.reserve({ usd_micros: 11 }), BudgetError);
  const id = await attempt.reserve({ usd_micros: 4 }, { source: "bill 1" });
  assert.equal(await attempt.reserve({ usd_micros: 4 }, { source: "bill 1" }), id);
  await store.budgets.settle(id, {});
  const { usd_micros } = (await store.budgets.get(runId)).units;
  assert.deepEqual([usd_micros?.reserved, usd_micros?.spent], [0, 0]);
});

test("amounts beyond what a number holds keep all their digits", async (t) => {
  const store = await memory(t);
  const limit = 2n ** 62n + 1n;
  const { runId } = await store.runs.submit("w", null, { budget: { 'a "b": 1': limit } });
  await store.runs.submitMany([{ workflow: "other", budget: { tokens: limit } }]);
  await using attempt = await claimed(store);
  const id = await attempt.reserve({ 'a "b": 1': limit - 1n });
  const read = async (): Promise<unknown> => {
    const { reserved, spent, remaining } = (await store.budgets.get(runId)).units['a "b": 1'] ?? {};
    return [reserved, spent, remaining];
  };
  assert.deepEqual(await read(), [limit - 1n, 0, 1]);
  await store.budgets.settle(id, { 'a "b": 1': limit - 5n });
  assert.deepEqual(await read(), [0, limit - 5n, 5]);
});

test("events are read and followed in order", async (t) => {
  const store = await onDisk(t);
  await store.runs.submit("w");
  const attempt = await claimed(store);
  await attempt.event("said", { n: 1 });
  await attempt.event("said", { n: 2 }, "once");
  await attempt.event("said", { n: 2 }, "once");
  const page = await store.events.read(0, { runId: attempt.runId });
  const said = page.items.filter((event) => event.type === "said");
  assert.deepEqual(
    said.map((event) => event.payload),
    [{ n: 1 }, { n: 2 }],
  );
  const stop = new AbortController();
  const seen: unknown[] = [];
  // Long enough for the tail to be waiting; it must not matter.
  const later = pause(50).then(async () => {
    await attempt.event("said", { n: 3 });
    await attempt.event("said", { n: 4 });
  });
  for await (const event of store.events.tail({ afterSeq: page.last_seq, signal: stop.signal })) {
    seen.push(event.payload);
    if (seen.length === 2) stop.abort();
  }
  await later;
  assert.deepEqual(seen, [{ n: 3 }, { n: 4 }]);
});

test("a change is seen by another handle", async (t) => {
  const store = await onDisk(t);
  await using other = await Store.open(store.path ?? "");
  const seen = await other.changed(0, { timeoutMs: 0 });
  const change = other.changed(seen);
  await store.runs.submit("w");
  assert.notEqual(await change, seen);
  const now = await other.changed(seen, { timeoutMs: 0 });
  assert.equal(await other.changed(now, { timeoutMs: 20 }), now);
  await assert.rejects(other.changed(now, { signal: AbortSignal.timeout(20) }), /abort/i);
});

test("a store that is whole says so", async (t) => {
  const store = await onDisk(t);
  await store.runs.submit("w");
  const found = JSON.stringify(await store.check());
  assert.ok(found.includes("ok"), found);
});
