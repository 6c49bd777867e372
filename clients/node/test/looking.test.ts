import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { BudgetError, ConflictError, InvalidError, NotFoundError, Store } from "../src/index.js";
import { claimed, isOfFiles, memory, onDisk, place } from "./support.js";

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

test("a backup is a store with what was there", async (t) => {
  if (isOfFiles(t, "pg_dump copies a store there")) return;
  const store = await onDisk(t);
  const { runId } = await store.runs.submit("w");
  const path = `${store.path}.copy`;
  await store.backup(path);
  await store.runs.submit("w");
  await using copy = await Store.open(path);
  assert.equal((await copy.runs.get(runId)).state, "pending");
  assert.equal(await copy.runs.count(), 1);
  await assert.rejects(store.backup(path), ConflictError);
});

test("a store is moved with its runs, and says where it went", async (t) => {
  const store = await onDisk(t);
  const { runId } = await store.runs.submit("w", { a: 1.5 });
  const attempt = await claimed(store);
  await using other = await Store.open(place(t, "other.db"));
  await other.init();
  const first = await store.graduate(other, { forMs: 1 });
  if (first.state !== "moved") {
    await assert.rejects(store.runs.submit("w"), { name: "SW_ERR_BUSY" });
    assert.equal((await store.graduate(null, { abort: true })).state, "in_force");
    await store.runs.submit("more");
  }
  const report = await store.graduate(other);
  assert.equal(report.state, "moved");
  assert.ok(report.tables.some((one) => one.table === "sw_workflow_runs" && one.rows > 0));
  await assert.rejects(store.runs.submit("w"), { name: "SW_ERR_MOVED" });
  await assert.rejects(attempt.complete(), { name: "SW_ERR_MOVED" });
  const again = await claimed(other);
  assert.equal(again.runId, runId);
  assert.deepEqual(again.args, { a: 1.5 });
  await again.complete();
});

test("a store tells how it stands: runs, queues, limits, owners, file and writer", async (t) => {
  const store = await onDisk(t);
  await store.queues.set("narrow", { concurrency: 1 });
  for (const queue of ["narrow", "narrow", "other"]) {
    await store.runs.submit("w", null, { queue });
  }
  await using attempt = await claimed(store, "narrow");
  const stats = await store.stats();
  const { total, pending, running, completed } = stats.runs;
  assert.deepEqual([total, pending, running, completed], [3, 2, 1, 0]);
  assert.ok(stats.at_ms >= attempt.leaseExpiresAtMs - 60_000);
  const [full] = stats.full;
  assert.deepEqual(full, {
    queue: "narrow",
    concurrency_key: null,
    limit: 1,
    running: 1,
    run_ids: [attempt.runId],
  });
  assert.deepEqual(stats.queues, await store.queues.list());
  assert.deepEqual(stats.owners, await store.owners());
  assert.equal(stats.file.bytes, stats.file.pages * stats.file.page_bytes);
  assert.ok(stats.writer && stats.writer.writes >= 4, JSON.stringify(stats.writer));
  const { batches, commits } = stats.writer;
  const inBatches = batches["1"] + batches["2_7"] + batches["8_63"] + batches["64_up"];
  assert.equal(inBatches, commits);
});

test("queues are listed by name, with their limits and what waits in them", async (t) => {
  const store = await memory(t);
  await store.queues.set("b", { concurrency: 3, concurrencyPerKey: 1, paused: true });
  await store.runs.submit("w", null, { queue: "a", runAtMs: store.nowMs + 1_000 });
  await store.runs.submit("w", null, { queue: "b" });
  const [a, b] = await store.queues.list();
  assert.deepEqual([a?.queue, a?.delayed, a?.ready, a?.concurrency], ["a", 1, 0, null]);
  assert.deepEqual([b?.queue, b?.concurrency, b?.concurrency_per_key], ["b", 3, 1]);
  assert.equal(b?.paused, true);
  assert.deepEqual(b?.at_least, []);
});

test("the owners of a store are those who claim from it", async (t) => {
  const store = await onDisk(t);
  await store.runs.submit("w");
  await using _attempt = await claimed(store);
  const owners = await store.owners();
  const own = owners.find((owner) => owner.running === 1);
  assert.deepEqual([own?.pid, own?.alive], [process.pid, true]);
  assert.ok(own && own.opened_at_ms <= store.nowMs && own.oldest_lease_at_ms !== null);
});

test("a handle for reading alone lists, counts, explains and tells of the store", async (t) => {
  const store = await onDisk(t);
  const { runId } = await store.runs.submit("w", null, { queue: "q" });
  await using reader = await Store.open(store.path ?? "", { readOnly: true });
  const ids: string[] = [];
  for await (const run of reader.runs.list()) ids.push(run.run_id);
  assert.deepEqual(ids, [runId]);
  assert.equal(await reader.runs.count(), 1);
  assert.equal((await reader.runs.explain(runId)).run_id, runId);
  const stats = await reader.stats();
  assert.deepEqual([stats.runs.total, stats.writer], [1, null]);
  assert.deepEqual(
    (await reader.queues.list()).map((queue) => queue.queue),
    ["q"],
  );
  assert.ok(Array.isArray(await reader.owners()));
  const refused = { name: "SW_ERR_READONLY" };
  await assert.rejects(reader.runs.annotate(runId, { a: 1 }), refused);
  await assert.rejects(reader.runs.actMany("cancel", {}), refused);
  assert.equal((await reader.runs.actMany("cancel", { dryRun: true })).matched, 1);
});

test("an explanation names what keeps a run, the most telling reason first", async (t) => {
  const store = await memory(t);
  await store.queues.set("shut", { paused: true });
  const kept = await store.runs.submit("w", null, { queue: "shut" });
  const parked = await store.runs.submit("w");
  await (await claimed(store)).perform((attempt) => attempt.signalled("go"));
  const late = await store.runs.submit("w", null, { runAtMs: store.nowMs + 60_000 });
  const codes = async ({ runId }: { runId: string }): Promise<string | undefined> => {
    const told = await store.runs.explain(runId);
    assert.equal(told.run_id, runId);
    assert.equal(told.state, (await store.runs.get(runId)).state);
    for (const reason of told.reasons) assert.ok(reason.text && reason.evidence, reason.code);
    return told.reasons[0]?.code;
  };
  assert.equal(await codes(kept), "queue_paused");
  assert.equal(await codes(parked), "waits_signal");
  assert.equal(await codes(late), "not_due");
  await store.runs.cancel(parked.runId);
  assert.equal(await codes(parked), "ended");
  await assert.rejects(store.runs.explain("run_01arz3ndektsv4rrffq69g5fav"), NotFoundError);
  await assert.rejects(store.runs.explain(""), InvalidError);
});
