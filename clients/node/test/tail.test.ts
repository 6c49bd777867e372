/** Waiting for events, and following them: `store.events.wait` and `tail`. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { setTimeout as pause, setImmediate as turn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Events } from "../src/event.js";
import { Handle } from "../src/handle.js";
import {
  type Attempt,
  ClosedError,
  type EventDocument,
  InvalidError,
  NotFoundError,
  Store,
  type TailOptions,
} from "../src/index.js";
import type { Answer, Library } from "../src/library.js";
import type { Changes } from "../src/watch.js";
import { claimed, memory, onDisk } from "./support.js";

const INDEX = fileURLToPath(new URL("../src/index.js", import.meta.url));

/** Submits a run and claims it, to tell events from. */
async function teller(store: Store): Promise<Attempt> {
  await store.runs.submit("w", null, { queue: "telling" });
  return claimed(store, "telling");
}

/** Follows until so many have come. */
async function followed(
  store: Store,
  count: number,
  options: TailOptions = {},
): Promise<EventDocument[]> {
  const seen: EventDocument[] = [];
  for await (const event of store.events.tail(options)) {
    seen.push(event);
    if (seen.length === count) break;
  }
  return seen;
}

function payloads(events: readonly EventDocument[]): unknown[] {
  return events.map((event) => event.payload);
}

/** Another process: it claims a run of the queue "elsewhere", and tells what it is given. */
const PROGRAM = `
const [index, path, said] = process.argv.slice(1);
const { Store } = await import(index);
const store = await Store.open(path);
const attempt = await store.runs.claim({ queue: "elsewhere" });
await attempt.event("said", said);
await attempt.complete();
await store.close();
`;

async function tellElsewhere(path: string, said: string): Promise<void> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", PROGRAM, INDEX, path, said], {
    stdio: "inherit",
  });
  const [status] = await once(child, "exit");
  assert.equal(status, 0);
}

test("a wait finds the events of the types and the run that are meant", async (t) => {
  const store = await memory(t);
  const [one, two] = [await teller(store), await teller(store)];
  await one.event("a", 1);
  await one.event("b", 2);
  await two.event("a", 3);
  const found = async (options: object, after = 0): Promise<unknown[]> => {
    const page = await store.events.wait(after, { ...options, timeoutMs: 0 });
    return payloads((page?.items ?? []).filter((event) => /^[ab]$/.test(event.type)));
  };
  assert.deepEqual(await found({}), [1, 2, 3]);
  assert.deepEqual(await found({ type: "a" }), [1, 3]);
  assert.deepEqual(await found({ type: ["a", "b"], runId: one.runId }), [1, 2]);
  assert.deepEqual(await found({ type: "none" }), []);
  const first = await store.events.wait(0, { type: "a", limit: 1 });
  assert.deepEqual(payloads(first?.items ?? []), [1]);
  assert.deepEqual(await found({ type: "a" }, first?.next_seq), [3]);
  assert.ok(first && first.first_seq <= first.next_seq && first.next_seq <= first.last_seq);
});

test("a wait for events ends with its time, with its signal, and with the store", async (t) => {
  const store = await onDisk(t);
  assert.equal(await store.events.wait(0, { timeoutMs: 0 }), undefined);
  assert.equal(await store.events.wait(0, { timeoutMs: 20 }), undefined);
  const abort = new AbortController();
  const aborted = store.events.wait(0, { signal: abort.signal });
  abort.abort(new Error("enough"));
  await assert.rejects(aborted, /enough/);
  await assert.rejects(store.events.wait(0, { signal: abort.signal }), /enough/);
  const ends = [store.events.wait(0), followed(store, 1)].map((wait) =>
    assert.rejects(wait, ClosedError),
  );
  await store.close();
  await Promise.all(ends);
});

test("what is no wait for events is refused", async (t) => {
  const store = await memory(t);
  const now = { timeoutMs: 0 };
  await assert.rejects(store.events.wait(-1, now), InvalidError);
  await assert.rejects(store.events.wait(0, { ...now, limit: 10_001 }), InvalidError);
  await assert.rejects(store.events.wait(0, { ...now, type: [] }), InvalidError);
  await assert.rejects(store.events.wait(0, { ...now, type: "" }), InvalidError);
  const runId = "run_01arz3ndektsv4rrffq69g5fav";
  await assert.rejects(store.events.wait(0, { ...now, runId }), NotFoundError);
  await assert.rejects(followed(store, 1, { runId }), NotFoundError);
});

test("a tail is woken by what another handle tells, and by what another process does", async (t) => {
  const store = await onDisk(t);
  const path = store.path ?? "";
  await using other = await Store.open(path);
  await store.runs.submit("w", null, { queue: "elsewhere" });
  const attempt = await teller(other);
  const tail = followed(store, 2, { type: "said" });
  await attempt.event("unsaid");
  await attempt.event("said", "by a handle");
  await tellElsewhere(path, "by a process");
  assert.deepEqual(payloads(await tail), ["by a handle", "by a process"]);
});

test("a tail is woken by each event, and does not look by the clock", async (t) => {
  const store = await onDisk(t);
  await using other = await Store.open(store.path ?? "");
  const attempt = await teller(store);
  // Looks by the clock would take longer than that.
  const signal = AbortSignal.timeout(30_000);
  const told = [attempt.event("said", 0)];
  for await (const { payload } of other.events.tail({ type: "said", signal })) {
    if (payload === 60) break;
    const n = told.length;
    // Long enough for the tail to sleep again, most likely; if not, nothing fails.
    told.push(pause(5).then(() => attempt.event("said", n)));
  }
  assert.equal(told.length, 61);
  await Promise.all(told);
});

test("a handle for reading alone follows what a process tells that came later", async (t) => {
  const store = await onDisk(t);
  const path = store.path ?? "";
  await store.runs.submit("w", null, { queue: "elsewhere" });
  await using reader = await Store.open(path, { readOnly: true });
  const tail = followed(reader, 1, { type: "said" });
  await tellElsewhere(path, "hello");
  assert.deepEqual(payloads(await tail), ["hello"]);
});

test("an abort ends a tail while it sleeps, and between two events of a page", async (t) => {
  const store = await onDisk(t);
  const attempt = await teller(store);
  for (const n of [1, 2, 3]) await attempt.event("said", n);
  const abort = new AbortController();
  const seen: unknown[] = [];
  for await (const event of store.events.tail({ type: "said", signal: abort.signal })) {
    seen.push(event.payload);
    if (seen.length === 2) abort.abort();
  }
  assert.deepEqual(seen, [1, 2]);
  const asleep = new AbortController();
  const tail = followed(store, 9, { type: "never", signal: asleep.signal });
  await turn();
  asleep.abort();
  assert.deepEqual(await tail, []);
  assert.deepEqual(await followed(store, 9, { signal: asleep.signal }), []);
});

test("a tail that is begun again goes on after the number it is given", async (t) => {
  const store = await memory(t);
  const attempt = await teller(store);
  for (const n of [1, 2, 3]) await attempt.event("said", n);
  const [first] = await followed(store, 1, { type: "said" });
  const rest = await followed(store, 2, { type: "said", afterSeq: BigInt(first?.seq ?? 0) });
  assert.deepEqual(payloads(rest), [2, 3]);
});

test("tails that sleep hold no thread: files are read and runs submitted meanwhile", async (t) => {
  const store = await onDisk(t);
  const abort = new AbortController();
  const { signal } = abort;
  const tails = Array.from({ length: 100 }, () => followed(store, 1, { type: "said", signal }));
  await readFile(INDEX);
  const attempt = await teller(store);
  await attempt.event("said", 1);
  for (const tail of tails) assert.deepEqual(payloads(await tail), [1]);
});

test("a wait goes on at once where a look passed over many that are not meant", async () => {
  const event = { seq: 9, run_id: "run_x", type: "a", payload: null, at_ms: 1 };
  const pages = [{ items: [], next_seq: 7 }, undefined, { items: [event], next_seq: 9 }];
  const asked: unknown[] = [];
  const library = {
    callLater: async (_name: string, _store: Handle, after: unknown): Promise<Partial<Answer>> => {
      asked.push(after);
      const page = pages.shift();
      return page ? { code: "SW_OK", text: JSON.stringify(page) } : { code: "SW_TIMEOUT" };
    },
  } as unknown as Library;
  const handle = new Handle("store", 1n, () => undefined);
  const changes = {
    until: async (look: () => Promise<unknown>): Promise<unknown> => (await look()) ?? look(),
  } as unknown as Changes;
  const found = await new Events(library, handle, changes).wait(0, { type: "a" });
  assert.deepEqual(found?.items, [event]);
  assert.deepEqual(asked, [0, 7, 7]);
});
