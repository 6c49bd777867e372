import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  InvalidError,
  NotFoundError,
  type RetentionPolicy,
  type RunFilter,
  Store,
} from "../src/index.js";
import { folder, memory } from "./support.js";

test("what has ended is pruned, and what lives stays", async (t) => {
  const store = await memory(t);
  const ids: string[] = [];
  for (let n = 0; n < 3; n += 1) ids.push((await store.runs.submit("w", n)).runId);
  const [first = "", second = "", third = ""] = ids;
  await store.runs.cancel(first);
  await store.runs.cancel(second);
  const dry = await store.prune({ dryRun: true });
  assert.deepEqual([dry.runs, dry.trees, dry.more], [2, 2, false]);
  assert.equal(await store.runs.count(), 3);
  const one = await store.prune({ workflow: "w", order: "newest" }, { limit: 1 });
  assert.deepEqual([one.runs, one.more], [1, true]);
  await assert.rejects(store.runs.get(second), NotFoundError);
  const rest = await store.prune();
  assert.deepEqual([rest.runs, rest.more, one.bytes + rest.bytes], [1, false, dry.bytes]);
  assert.equal((await store.runs.get(third)).state, "pending");
});

test("a prune that cannot be is refused", async (t) => {
  const store = await memory(t);
  await assert.rejects(store.prune({}, { limit: 100_001 }), InvalidError);
  await assert.rejects(store.prune({ older: 1 } as RunFilter), InvalidError);
});

const HOUR_MS = 3_600_000;

test("what a policy lets go is gone after claims", async (t) => {
  const store = await memory(t);
  const ids: string[] = [];
  for (const name of ["w", "w", "w", "audit"]) {
    const { runId } = await store.runs.submit(name);
    await store.runs.cancel(runId);
    ids.push(runId);
  }
  const workflows = { audit: { keepNewest: 5 } };
  await store.setRetention({ cancelledMs: HOUR_MS, keepNewest: 1, workflows });
  assert.deepEqual(await store.retention(), {
    cancelled_ms: HOUR_MS,
    keep_newest: 1,
    workflows: { audit: { keep_newest: 5 } },
  });
  assert.equal(await store.runs.claim(), undefined);
  assert.equal(await store.runs.count(), 4);
  await store.advanceClock(2 * HOUR_MS);
  assert.equal(await store.runs.claim(), undefined);
  const left: string[] = [];
  for await (const run of store.runs.list()) left.push(run.run_id);
  assert.deepEqual(left, [ids[3], ids[2]]);
});

test("a policy is replaced whole, and ended", async (t) => {
  const store = await memory(t);
  await store.setRetention({ failedMs: 5, workflows: { camelCase: { completedMs: 0 } } });
  const both = { failed_ms: 5, workflows: { camelCase: { completed_ms: 0 } } };
  assert.deepEqual(await store.retention(), both);
  await store.setRetention({ completedMs: 0 });
  assert.deepEqual(await store.retention(), { completed_ms: 0 });
  await store.setRetention({});
  assert.deepEqual(await store.retention(), {});
  await store.runs.cancel((await store.runs.submit("w")).runId);
  await store.advanceClock(300 * 24 * HOUR_MS);
  assert.equal(await store.runs.claim(), undefined);
  assert.equal(await store.runs.count(), 1);
});

test("a policy that cannot be is refused", async (t) => {
  const store = await memory(t);
  await assert.rejects(store.setRetention({ failedMs: -1 }), InvalidError);
  await assert.rejects(store.setRetention({ days: 1 } as RetentionPolicy), InvalidError);
  const workflows = { ["w".repeat(300)]: {} };
  await assert.rejects(store.setRetention({ workflows }), { name: "SW_ERR_TOO_BIG" });
  assert.deepEqual(await store.retention(), {});
});

test("a file out of which much has gone is made smaller", async (t) => {
  const path = join(folder(t), "large.db");
  const store = await Store.open(path);
  await store.init();
  for (let n = 0; n < 20; n += 1) {
    // Equal payloads would stand there once, and packed.
    const noise = randomBytes(150_000).toString("base64");
    await store.runs.cancel((await store.runs.submit("w", noise)).runId);
  }
  await store.prune();
  await store.close(); // moves the log into the file
  const large = statSync(path).size;
  const again = await Store.open(path);
  await assert.rejects(again.compact({ pagesMax: 1_000_001 }), InvalidError);
  const first = await again.compact({ pagesMax: 10 });
  assert.equal(first.freed_pages, 10);
  assert.ok(first.left_pages > 0);
  while ((await again.compact()).freed_pages > 0);
  assert.ok((await again.check()).ok);
  await again.close();
  assert.ok(statSync(path).size < large / 2);
});
