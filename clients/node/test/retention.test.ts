import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidError, NotFoundError, type RunFilter } from "../src/index.js";
import { memory } from "./support.js";

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
