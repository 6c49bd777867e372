import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ClosedError,
  InvalidError,
  NotFoundError,
  type RunFilter,
  type RunItem,
  type Store,
  workflow,
} from "../src/index.js";
import { claimed, memory } from "./support.js";

const NOBODY = "run_01arz3ndektsv4rrffq69g5fav";

async function listed(store: Store, filter?: RunFilter): Promise<RunItem[]> {
  const all: RunItem[] = [];
  for await (const run of store.runs.list(filter)) all.push(run);
  return all;
}

async function ids(store: Store, filter?: RunFilter): Promise<string[]> {
  return (await listed(store, filter)).map((run) => run.run_id);
}

/** Submits runs one after the other; returns their ids, the oldest first. */
async function submitted(store: Store, count: number): Promise<string[]> {
  const all: string[] = [];
  for (let n = 0; n < count; n += 1) all.push((await store.runs.submit("w", n)).runId);
  return all;
}

test("runs are listed newest first, and their payloads only when they are asked for", async (t) => {
  const store = await memory(t);
  const [first, second] = await submitted(store, 2);
  await (await claimed(store)).perform(() => "done");
  assert.deepEqual(await ids(store), [second, first]);
  const [bare] = await listed(store, { state: "completed" });
  assert.equal(bare?.run_id, first);
  for (const key of ["args", "result", "error", "last_error", "metadata", "waiting_for"]) {
    assert.ok(bare && !(key in bare), key);
  }
  const [full] = await listed(store, {
    state: "completed",
    include: ["args", "result", "error", "metadata", "waiting_for"],
  });
  assert.deepEqual({ ...full }, await store.runs.get(first ?? ""));
});

/** A store with one run of each kind; returns their ids by what they are. */
async function zoo(store: Store): Promise<Record<string, string>> {
  const submit = async (name: string, options: object = {}): Promise<string> =>
    (await store.runs.submit(name, null, options)).runId;
  const parent = await submit("parent");
  const attempt = await claimed(store);
  const child = await attempt.child("kid", "child", null, { queue: "kids" });
  await attempt.complete();
  await store.advanceClock(1_000);
  const failed = await submit("failing", { maxTries: 1, metadata: { tenant: "a", n: 1 } });
  const failing = await store.runs.claim({ worker: "me" });
  await failing?.fail({ message: "no luck" }, { terminal: true });
  await store.advanceClock(1_000);
  const keyed = await submit("keyed", { idempotencyKey: "k", codeVersion: "v2" });
  const shared = await submit("keyed", { idempotencyKey: "k", idempotencyScope: "" });
  const told = await submit("told");
  await store.runs.cancel(told);
  return { parent, child, failed, keyed, shared, told };
}

test("each key of a filter lets through what it says", async (t) => {
  const store = await memory(t);
  const startMs = store.nowMs;
  const of = await zoo(store);
  const { parent, child, failed, keyed, shared, told } = of;
  const cases: [RunFilter, (string | undefined)[]][] = [
    [{}, Object.values(of)],
    [{ state: "failed" }, [failed]],
    [{ state: ["failed", "cancelled"] }, [failed, told]],
    [{ workflow: "keyed" }, [keyed, shared]],
    [{ workflow: workflow("keyed", () => null) }, [keyed, shared]],
    [{ queue: "kids" }, [child]],
    [{ codeVersion: "v2" }, [keyed]],
    [{ worker: "me" }, [failed]],
    [{ parentRunId: parent ?? "" }, [child]],
    [{ rootRunId: parent ?? "" }, [parent, child]],
    [{ rootsOnly: true, state: ["completed", "pending"] }, [parent, keyed, shared]],
    [{ createdFromMs: startMs + 1_000, createdToMs: startMs + 2_000 }, [failed]],
    [{ createdToMs: BigInt(startMs + 1_000) }, [parent, child]],
    [{ finishedFromMs: startMs + 1_000 }, [failed, told]],
    [{ finishedToMs: startMs + 1_000 }, [parent]],
    [{ metadata: { tenant: "a" } }, [failed]],
    [{ metadata: { tenant: "a", n: 2 } }, []],
    [{ workflow: "keyed", idempotencyKey: "k" }, [keyed]],
    [{ idempotencyKey: "k", idempotencyScope: "keyed" }, [keyed]],
    [{ idempotencyKey: "k", idempotencyScope: "" }, [shared]],
    [{ idempotencyScope: "keyed" }, [keyed]],
    [{ errorContains: "no luck" }, [failed]],
    [{ cancelAsked: true }, []],
  ];
  for (const [filter, expected] of cases) {
    const found = await ids(store, { ...filter, order: "oldest" });
    assert.deepEqual(
      found,
      expected,
      JSON.stringify(filter, (_, one) => one?.name ?? String(one)),
    );
    assert.equal(await store.runs.count(filter), expected.length);
  }
});

test("pages of any size make the whole list, in either order", async (t) => {
  const store = await memory(t);
  const all = await submitted(store, 5);
  for (const order of ["oldest", "newest"] as const) {
    const expected = order === "oldest" ? all : [...all].reverse();
    for (const limit of [1, 2, 5, 6]) {
      const found: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await store.runs.listPage({ order }, { cursor, limit });
        assert.ok(page.items.length <= limit);
        found.push(...page.items.map((run) => run.run_id));
        cursor = page.next ?? undefined;
      } while (cursor !== undefined);
      assert.deepEqual(found, expected, `${order} by ${limit}`);
    }
  }
});

test("a list that is longer than a page is iterated to its end", async (t) => {
  const store = await memory(t);
  const items = Array.from({ length: 230 }, (_, n) => ({ workflow: "w", args: n }));
  const made = await store.runs.submitMany(items);
  const expected = made.map((one) => one.runId);
  assert.deepEqual(await ids(store, { order: "oldest" }), expected);
});

test("what is submitted between two pages moves nothing in those that follow", async (t) => {
  const store = await memory(t);
  const [first, second, third] = await submitted(store, 3);
  const page = await store.runs.listPage({}, { limit: 1 });
  assert.equal(page.items[0]?.run_id, third);
  await submitted(store, 2);
  const { items } = await store.runs.listPage({}, { limit: 9, cursor: page.next ?? "" });
  assert.deepEqual(
    items.map((run) => run.run_id),
    [second, first],
  );
  const oldest = await store.runs.listPage({ order: "oldest" }, { limit: 5 });
  const [later] = await submitted(store, 1);
  if (oldest.next === null) return assert.equal(oldest.items.length, 5);
  const rest = await store.runs.listPage({ order: "oldest" }, { cursor: oldest.next });
  assert.deepEqual(
    rest.items.map((run) => run.run_id),
    [later],
  );
});

test("a cursor is refused with another filter, order or store", async (t) => {
  const store = await memory(t);
  await submitted(store, 3);
  const { next } = await store.runs.listPage({ state: "pending" }, { limit: 1 });
  const cursor = next ?? "";
  assert.ok(cursor);
  const filters: RunFilter[] = [{}, { state: "failed" }, { state: "pending", order: "oldest" }];
  for (const filter of filters) {
    await assert.rejects(store.runs.listPage(filter, { cursor }), InvalidError);
  }
  const other = await memory(t);
  await submitted(other, 3);
  await assert.rejects(other.runs.listPage({ state: "pending" }, { cursor }), InvalidError);
  await assert.rejects(store.runs.listPage({}, { cursor: "nonsense" }), InvalidError);
});

test("what is no filter is refused, and named", async (t) => {
  const store = await memory(t);
  const refused = async (filter: object, message: RegExp): Promise<void> => {
    const expected = { name: "SW_ERR_INVALID", message };
    await assert.rejects(listed(store, filter as RunFilter), expected);
    await assert.rejects(store.runs.count(filter as RunFilter), expected);
    await assert.rejects(store.runs.actMany("cancel", filter as RunFilter), expected);
  };
  await refused({ status: "failed" }, /unknown key "status"/);
  await refused({ state: "done" }, /state/);
  await refused({ state: [] }, /state/);
  await refused({ include: ["steps"] }, /include/);
  await refused({ order: "up" }, /order/);
  await refused({ metadata: { deep: {} } }, /deep/);
  await assert.rejects(store.runs.listPage({}, { limit: 1_001 }), InvalidError);
  await assert.rejects(store.runs.listPage({}, { limit: -1 }), InvalidError);
  await assert.rejects(store.runs.count({}, 1_000_000_001), InvalidError);
  await assert.rejects(listed(store, { parentRunId: NOBODY }), NotFoundError);
  await assert.rejects(listed(store, { rootRunId: NOBODY }), NotFoundError);
  await store.close();
  await assert.rejects(listed(store), ClosedError);
});

test("a count stops where it is told to", async (t) => {
  const store = await memory(t);
  await submitted(store, 4);
  assert.equal(await store.runs.count(), 4);
  assert.equal(await store.runs.count({ state: "pending" }, 3), 3);
  assert.equal(await store.runs.count({ state: "failed" }), 0);
});

test("metadata is changed member by member, also of a run that has ended", async (t) => {
  const store = await memory(t);
  const metadata = { tenant: "a", old: 1, deep: { kept: true } };
  const { runId } = await store.runs.submit("w", null, { metadata });
  await store.runs.annotate(runId, { old: null, deep: { more: [1] }, ticket: "T-7" });
  const expected = { tenant: "a", deep: { kept: true, more: [1] }, ticket: "T-7" };
  assert.deepEqual((await store.runs.get(runId)).metadata, expected);
  await (await claimed(store)).perform(() => 1);
  await store.runs.annotate(runId, { ticket: "T-8" });
  assert.deepEqual(await ids(store, { metadata: { ticket: "T-8" } }), [runId]);
  const long = { text: "x".repeat(65_536) };
  await assert.rejects(store.runs.annotate(runId, long), { name: "SW_ERR_TOO_BIG" });
  await assert.rejects(store.runs.annotate(NOBODY, {}), NotFoundError);
  const noObject = [] as unknown as Record<string, never>;
  await assert.rejects(store.runs.annotate(runId, noObject), InvalidError);
  assert.deepEqual((await store.runs.get(runId)).metadata, { ...expected, ticket: "T-8" });
});

test("many are acted on at once, and calls repeated while there are more come to an end", async (t) => {
  const store = await memory(t);
  await submitted(store, 5);
  const calls = [];
  do calls.push(await store.runs.actMany("cancel", {}, { limit: 2 }));
  while (calls.at(-1)?.more);
  assert.equal(
    calls.reduce((sum, one) => sum + one.done, 0),
    5,
  );
  assert.equal(await store.runs.count({ state: "cancelled" }), 5);
  assert.equal((await store.runs.actMany("retry", { workflow: "w" })).done, 5);
  assert.equal((await store.runs.actMany("pause", {})).done, 5);
  assert.equal((await store.runs.actMany("resume", {})).done, 5);
  assert.equal(await store.runs.count({ state: "pending" }), 5);
});

test("what an act does not do is told: runs that it refuses, and all of a dry run", async (t) => {
  const store = await memory(t);
  const [first, second] = await submitted(store, 2);
  await (await claimed(store)).perform(() => 1);
  const filter: RunFilter = { state: ["completed", "pending"] };
  const dry = await store.runs.actMany("cancel", { ...filter, dryRun: true });
  assert.deepEqual([dry.matched, dry.done], [2, 0]);
  assert.equal((await store.runs.get(second ?? "")).state, "pending");
  const { matched, done, refused, more } = await store.runs.actMany("cancel", filter);
  assert.deepEqual([matched, done, more], [2, 1, false]);
  assert.deepEqual(
    refused.map((one) => one.run_id),
    [first],
  );
  const single = await store.runs.cancel(first ?? "").catch((error) => error);
  assert.equal(refused[0]?.code, single.code);
  const stop = "stop" as "cancel";
  await assert.rejects(store.runs.actMany(stop, {}), { name: "SW_ERR_INVALID", message: /"stop"/ });
});

test("a list may be left early, and begun again", async (t) => {
  const store = await memory(t);
  const [, , third] = await submitted(store, 3);
  for await (const run of store.runs.list()) {
    assert.equal(run.run_id, third);
    break;
  }
  assert.equal((await ids(store)).length, 3);
});
