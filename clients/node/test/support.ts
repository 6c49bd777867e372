import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type Attempt, Store, type StoreOptions } from "../src/index.js";

/** A folder that goes away after the test. */
export function folder(test: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "smolwf-node-"));
  test.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A server of scripts/postgres.sh on which stores lie, where there is one. */
export const SERVER: string | undefined = process.env["SW_POSTGRES_URL"];

/** Where a test's store lies: a file in a folder of its own, or on the server a schema of its own. */
export function place(test: TestContext, file: string = "store.db"): string {
  if (SERVER === undefined) return join(folder(test), file);
  const schema = `sw_test_${randomUUID().replaceAll("-", "")}`;
  return `${SERVER}&sw_schema=${schema}&options=-csearch_path%3D${schema}`;
}

/** A store in memory with a clock that stands still, closed after the test. */
export async function memory(test: TestContext, options: StoreOptions = {}): Promise<Store> {
  const store = await Store.openInMemory({ manualClock: true, ...options });
  test.after(() => store.close());
  await store.init();
  return store;
}

/** A store in a file of its own, closed after the test. */
export async function onDisk(test: TestContext, options: StoreOptions = {}): Promise<Store> {
  const store = await Store.open(join(folder(test), "store.db"), options);
  test.after(() => store.close());
  await store.init();
  return store;
}

/** Resolves once a signal is aborted, also where that was before: a listener alone would wait for ever. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** Claims what must be there. */
export async function claimed(store: Store, queue?: string): Promise<Attempt> {
  const attempt = await store.runs.claim(queue === undefined ? {} : { queue });
  assert.ok(attempt, "nothing was there to claim");
  return attempt;
}
