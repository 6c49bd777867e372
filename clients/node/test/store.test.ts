import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ClosedError, jsonQuote, newId, SmolwfError, Store, version } from "../src/index.js";
import { library } from "../src/library.js";
import { folder, memory, onDisk } from "./support.js";

test("a store is opened, initialised once and closed by its block", async (t) => {
  const path = join(folder(t), "store.db");
  let kept: Store;
  {
    await using store = await Store.open(path);
    kept = store;
    const { newest } = await store.schemaVersion();
    assert.equal(await store.init(), newest);
    assert.equal(await store.init(), 0);
    assert.equal((await store.migrations()).length, newest);
    assert.equal(await store.migrate(newest), 0);
    assert.equal(store.path, path);
  }
  await assert.rejects(kept.init(), ClosedError);
  await kept.close();
});

test("an error has a code, a name, a sentence and says whether to try again", async (t) => {
  const path = join(folder(t), "no.db");
  writeFileSync(
    path,
    "this is not a database, and long enough to have a header of its own".repeat(9),
  );
  await assert.rejects(Store.open(path), (error) => {
    assert.ok(error instanceof SmolwfError);
    assert.equal(error.name, "SW_ERR_NOT_A_STORE");
    assert.equal(error.code, library().constant("SW_ERR_NOT_A_STORE"));
    assert.equal(error.retryable, false);
    assert.match(error.message, /no.db is not a SQLite database/);
    return true;
  });
});

test("a manual clock stands still until it is advanced", async (t) => {
  const store = await memory(t);
  const before = store.nowMs;
  await store.advanceClock(30 * 24 * 3_600_000);
  assert.equal(store.nowMs, before + 30 * 24 * 3_600_000);
});

test("options out of range and unknown ones are refused, not cut", async () => {
  const open = (options: object): Promise<Store> => Store.openInMemory(options);
  await assert.rejects(open({ busyTimeoutMs: -1 }), { name: "SW_ERR_INVALID" });
  await assert.rejects(open({ busyTimeoutMs: 2 ** 32 }), { name: "SW_ERR_INVALID" });
  await assert.rejects(open({ busyTimeoutMs: 1.5 }), { name: "SW_ERR_INVALID" });
  await assert.rejects(open({ bussyTimeoutMs: 1 }), { name: "SW_ERR_INVALID" });
});

test("64-bit numbers cross exactly", async (t) => {
  const store = await memory(t, { payloadBytesMax: 2 ** 20 });
  const far = 2n ** 62n;
  await assert.rejects(store.advanceClock(2n ** 63n), { name: "SW_ERR_INVALID" });
  await assert.rejects(store.migrate(far), { message: new RegExp(String(far)) });
});

test("ids, quotes and versions come without a store", () => {
  const [first, second] = [newId("run"), newId("run")];
  assert.match(first, /^run_[0-9a-z]{26}$/);
  assert.ok(second > first);
  assert.equal(jsonQuote('a "b"\n'), '"a \\"b\\"\\n"');
  assert.equal(jsonQuote("\0\u{1f600}"), '"\\u0000\u{1f600}"');
  assert.equal(version().abi, library().constant("SW_ABI_VERSION"));
  assert.equal(version().number, library().constant("SW_VERSION_NUMBER"));
});

test("closing ends waits, and calls under way are answered first", async (t) => {
  const store = await onDisk(t);
  const submits = Array.from({ length: 20 }, (_, n) =>
    store.runs.submit("w", n, { queue: "other" }),
  );
  const wait = store.runs.claim({ waitMs: -1 });
  const closed = store.close();
  await assert.rejects(wait, ClosedError);
  const ids = new Set((await Promise.all(submits)).map((one) => one.runId));
  assert.equal(ids.size, 20);
  await closed;
});
