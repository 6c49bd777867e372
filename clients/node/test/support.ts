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

/**
 * Where a test's store lies: a file in a folder of its own, or on the server a schema of its own, with a
 * password in its URL that the server asks nobody for.
 */
export function place(test: TestContext, file: string = "store.db"): string {
  if (SERVER === undefined) return join(folder(test), file);
  const schema = `sw_test_${randomUUID().replaceAll("-", "")}`;
  return `${SERVER}&password=sesame&sw_schema=${schema}&options=-csearch_path%3D${schema}`;
}

/** Whether a test is of what files alone have: told, with the reason, where stores lie on a server. */
export function isOfFiles(test: TestContext, why: string): boolean {
  if (SERVER !== undefined) console.log(`# not on a server: ${test.name}: ${why}`);
  return SERVER !== undefined;
}

/** A store in memory, or on the server, with a clock that stands still, closed after the test. */
export async function memory(test: TestContext, options: StoreOptions = {}): Promise<Store> {
  const chosen = { manualClock: true, ...options };
  const opened =
    SERVER === undefined ? Store.openInMemory(chosen) : Store.open(place(test), chosen);
  const store = await opened;
  test.after(() => store.close());
  await store.init();
  return store;
}

/** A store in a file of its own, or on the server, closed after the test. */
export async function onDisk(test: TestContext, options: StoreOptions = {}): Promise<Store> {
  const store = await Store.open(place(test), options);
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
