import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ConflictError,
  InvalidError,
  NotFoundError,
  newId,
  type Store,
  Suspended,
} from "../src/index.js";
import { memory } from "./support.js";

/** Submits a run that has recorded a step and waits for its child. */
async function begun(store: Store): Promise<{ run: string; child: string }> {
  const { runId: run } = await store.runs.submit("parent", { n: 1.5 });
  const attempt = await store.runs.claim();
  assert.ok(attempt);
  await attempt.step("paid", () => ({ receipt: 7 }));
  const child = await attempt.child("part", "child");
  await assert.rejects(attempt.childResult(child), Suspended);
  await attempt.suspend();
  attempt.free();
  return { run, child };
}

/** Does what is left: the child, then the parent. */
async function finish(store: Store, run: string): Promise<void> {
  const part = await store.runs.claim();
  await part?.complete("part");
  part?.free();
  const attempt = await store.runs.claim();
  assert.ok(attempt);
  assert.deepEqual([attempt.runId, attempt.number, attempt.args], [run, 2, { n: 1.5 }]);
  const paid = await attempt.step("paid", () => assert.fail("it is done again"));
  assert.deepEqual(paid, { receipt: 7 });
  const child = await attempt.child("part", "child");
  assert.equal(await attempt.childResult(child), "part");
  await attempt.complete("done");
  attempt.free();
  assert.equal((await store.runs.get(run)).result, "done");
  assert.ok((await store.check()).ok);
}

test("a run goes on in another store", async (t) => {
  const [store, other] = [await memory(t), await memory(t)];
  const { run, child } = await begun(store);
  const exported = await store.runs.export(run);
  assert.deepEqual(await other.runs.import(exported), { run_id: run, runs: 2 });
  assert.equal((await other.runs.get(child)).parent_run_id, run);
  await finish(other, run);
  assert.equal((await store.runs.get(run)).state, "waiting");
  await finish(store, run);
});

test("a second copy has ids of its own", async (t) => {
  const store = await memory(t);
  const { run } = await begun(store);
  const exported = await store.runs.export(run);
  await assert.rejects(store.runs.import(exported), ConflictError);
  const copy = await store.runs.import(exported, { ids: "new" });
  assert.notEqual(copy.run_id, run);
  assert.equal(await store.runs.count(), 4);
});

test("a redacted document shows no payload and is not imported", async (t) => {
  const store = await memory(t);
  const { run } = await begun(store);
  const exported = await store.runs.export(run, { redact: true });
  assert.ok(!exported.includes("receipt") && JSON.parse(exported).redacted === true);
  await assert.rejects(store.runs.import(exported, { ids: "new" }), InvalidError);
});

test("what cannot be carried is refused", async (t) => {
  const store = await memory(t);
  const { run, child } = await begun(store);
  await assert.rejects(store.runs.export(newId("run")), NotFoundError);
  await assert.rejects(store.runs.export(child), (error: Error) => {
    return error instanceof ConflictError && error.message.includes(run);
  });
  await assert.rejects(store.runs.import("{}"), InvalidError);
  const exported = await store.runs.export(run);
  await assert.rejects(store.runs.import(exported, { ids: "some" as "new" }), InvalidError);
  assert.equal(await store.runs.count(), 2);
});
