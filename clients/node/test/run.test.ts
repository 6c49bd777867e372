import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ConflictError,
  Failure,
  LeaseLostError,
  NotFoundError,
  rawJson,
  Store,
} from "../src/index.js";
import { claimed, memory, onDisk } from "./support.js";

test("one key makes one run, and find finds it", async (t) => {
  const store = await memory(t);
  const once = { idempotencyKey: "k", idempotencyScope: "s" };
  const first = await store.runs.submit("w", { n: 1 }, once);
  const second = await store.runs.submit("w", { n: 2 }, once);
  assert.deepEqual(second, { runId: first.runId, exists: true });
  assert.equal(await store.runs.find("k", { scope: "s" }), first.runId);
  assert.equal(await store.runs.find("k", { workflow: "w" }), undefined);
});

test("a key belongs to the workflow of its run, unless another scope is named", async (t) => {
  const store = await memory(t);
  const once = { idempotencyKey: "ada" };
  const mail = await store.runs.submit("mail", null, once);
  const [invoice, again] = await store.runs.submitMany([
    { workflow: "invoice", ...once },
    { workflow: "mail", ...once },
  ]);
  assert.deepEqual([invoice?.exists, again], [false, { runId: mail.runId, exists: true }]);
  assert.equal(await store.runs.find("ada", { workflow: "mail" }), mail.runId);
  assert.equal(await store.runs.find("ada", { workflow: "invoice" }), invoice?.runId);
  const shared = { ...once, idempotencyScope: "" };
  const { runId } = await store.runs.submit("mail", null, shared);
  assert.equal(await store.runs.find("ada", { scope: "" }), runId);
  await assert.rejects(store.runs.submitMany([{ workflow: "invoice", ...shared }]), ConflictError);
  await assert.rejects(store.runs.submit("invoice", null, shared), ConflictError);
});

test("a claimed run has what was submitted", async (t) => {
  const store = await memory(t);
  const { runId } = await store.runs.submit(
    "w",
    { n: [1, "\u{1f600}"] },
    { queue: "q", priority: -3 },
  );
  await using attempt = await claimed(store, "q");
  assert.deepEqual(attempt.args, { n: [1, "\u{1f600}"] });
  assert.equal(attempt.runId, runId);
  assert.equal(attempt.rootRunId, runId);
  assert.equal(attempt.parentRunId, null);
  assert.equal(attempt.workflow, "w");
  assert.equal(attempt.queue, "q");
  assert.equal(attempt.number, 1);
  assert.ok(attempt.leaseExpiresAtMs > store.nowMs);
  assert.match(attempt.id, /^attempt_/);
  const run = await store.runs.get(runId);
  assert.equal(run.priority, -3);
  assert.equal(run.state, "running");
});

test("payloads come back byte for byte", async (t) => {
  const store = await memory(t);
  await store.runs.submit("w", rawJson('{"a": 1.0, "b":12345678901234567890}'));
  const attempt = await claimed(store);
  assert.equal(attempt.argsText, '{"a": 1.0, "b":12345678901234567890}');
  attempt.free();
});

test("a payload of sixteen mebibytes goes in and out", async (t) => {
  const store = await memory(t);
  const text = "x".repeat(16 * 1024 * 1024 - 2);
  await store.runs.submit("w", text);
  assert.equal((await claimed(store)).args, text);
  await assert.rejects(store.runs.submit("w", `${text}x`), { name: "SW_ERR_TOO_BIG" });
});

test("performing completes, retries and fails as the function does", async (t) => {
  const store = await memory(t);
  const { runId } = await store.runs.submit("w", null, { maxTries: 2 });
  const once = await (await claimed(store)).perform(() => {
    throw new TypeError("no luck");
  });
  assert.ok(once.state === "retrying");
  const { stack, ...error } = once.error as Record<string, string>;
  assert.deepEqual(error, { type: "TypeError", message: "no luck" });
  assert.match(stack ?? "", /run.test.js/);
  await store.advanceClock(60_000);
  const twice = await (await claimed(store)).perform(() => {
    throw new Failure({ why: "none" }, { retryAfterMs: 5 });
  });
  assert.deepEqual(twice, { state: "failed", error: { why: "none" } });
  assert.deepEqual((await store.runs.get(runId)).error, { why: "none" });
});

test("a terminal failure is not tried again", async (t) => {
  const store = await memory(t);
  await store.runs.submit("w");
  const outcome = await (await claimed(store)).perform(() => {
    throw new Failure("broken", { terminal: true });
  });
  assert.deepEqual(outcome, { state: "failed", error: "broken" });
});

test("an attempt that leaves its block unfinished is given back at once", async (t) => {
  const store = await memory(t);
  await store.runs.submit("w");
  {
    await using attempt = await claimed(store);
    await attempt.check();
    await attempt.heartbeat(60_000);
  }
  const again = await claimed(store);
  assert.equal(again.number, 2);
  assert.equal(await again.fail("plain", { text: true, terminal: true }), false);
  assert.equal((await store.runs.get(again.runId)).error, "plain");
});

test("a stale attempt has lost its lease", async (t) => {
  const store = await memory(t);
  await store.runs.submit("w");
  const stale = await claimed(store);
  await store.advanceClock(3_600_000);
  await using fresh = await claimed(store);
  assert.equal(fresh.number, 2);
  await assert.rejects(stale.complete(1), LeaseLostError);
  assert.deepEqual(await stale.perform(() => 1), { state: "lost" });
});

test("a wait for a run ends with it, or with its time", async (t) => {
  const store = await onDisk(t);
  const { runId } = await store.runs.submit("w");
  assert.equal(await store.runs.wait(runId, { timeoutMs: 0 }), undefined);
  assert.equal(await store.runs.wait(runId, { timeoutMs: 30 }), undefined);
  const wait = store.runs.wait<string>(runId);
  await (await claimed(store)).perform(() => "done");
  assert.equal((await wait)?.result, "done");
  await assert.rejects(store.runs.wait("run_01arz3ndektsv4rrffq69g5fav"), NotFoundError);
});

test("a waiting claim is woken by a submit of another handle", async (t) => {
  const store = await onDisk(t);
  await using other = await Store.open(store.path ?? "");
  const wait = store.runs.claim({ waitMs: -1 });
  const { runId } = await other.runs.submit("w");
  const attempt = await wait;
  assert.equal(attempt?.runId, runId);
  attempt?.free();
});

test("a handle for reading alone waits too", async (t) => {
  const store = await onDisk(t);
  await using reader = await Store.open(store.path ?? "", { readOnly: true });
  const { runId } = await store.runs.submit("w");
  const wait = reader.runs.wait<number>(runId);
  await (await claimed(store)).perform(() => 7);
  assert.equal((await wait)?.result, 7);
});

test("an abort ends a wait with its reason", async (t) => {
  const store = await onDisk(t);
  const { runId } = await store.runs.submit("w", null, { queue: "elsewhere" });
  const abort = new AbortController();
  const { signal } = abort;
  const waits = [
    store.runs.claim({ waitMs: -1, signal }),
    store.runs.wait(runId, { signal }),
    store.runs.claim({ waitMs: -1, signal }),
  ];
  abort.abort(new Error("enough"));
  for (const ended of await Promise.allSettled<unknown>(waits)) {
    assert.ok(ended.status === "rejected" && ended.reason === signal.reason);
  }
  await assert.rejects(store.runs.claim({ signal }), /enough/);
});

test("workers perform what they have functions for", async (t) => {
  const store = await onDisk(t);
  const stop = new AbortController();
  const squares = Array.from({ length: 20 }, (_, n) => store.runs.submit("square", n));
  const ids = (await Promise.all(squares)).map((one) => one.runId);
  await store.runs.submit("strange");
  const square = (_: unknown, n: number): number => n * n;
  const working = store.work({ square }, { concurrency: 4, signal: stop.signal });
  const ended = await Promise.all(ids.map((id) => store.runs.wait<number>(id)));
  assert.deepEqual(
    ended.map((run) => run?.result),
    ids.map((_, n) => n * n),
  );
  stop.abort();
  await working;
  assert.equal((await claimed(store)).workflow, "strange");
});

test("what cannot be stored fails the run for good, and names what and where", async (t) => {
  const store = await memory(t, { payloadBytesMax: 1024 });
  const failed = async (workflow: () => unknown): Promise<string> => {
    await store.runs.submit("w", null, { maxTries: 4 });
    const outcome = await (await claimed(store)).perform(workflow);
    assert.equal(outcome.state, "failed");
    return JSON.stringify(outcome.state === "failed" && outcome.error);
  };
  assert.match(await failed(() => "x".repeat(2_000)), /ResultError.*the result of workflow w/);
  assert.match(await failed(() => [{ n: 2n ** 60n }]), /\$\[0\]\.n is 1152921504606846976, beyond/);
  const own = new Failure({ $smolwf: "tries", message: "forged" }, { terminal: true });
  assert.match(await failed(() => Promise.reject(own)), /forged.*not recorded as thrown/);
});
