/** How a worker ends: stops, signals of the process, a store that is closed. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Worker as Thread } from "node:worker_threads";
import {
  type Attempt,
  LeaseLostError,
  Store,
  type WorkerEvent,
  WorkerStopped,
  workflow,
} from "../src/index.js";
import { aborted, folder, memory, onDisk } from "./support.js";

const CLIENT = new URL("../src/index.js", import.meta.url).href;

const told = (attempt: Attempt): Promise<void> => aborted(attempt.signal);

/** Resolves when the attempt of a workflow has begun. */
function beginning(): { begun: Promise<void>; begin: () => void } {
  let begin = (): void => undefined;
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  return { begun, begin: () => begin() };
}

test("an aborted signal is a first stop: what runs may end", async (t) => {
  const store = await memory(t);
  const stop = new AbortController();
  const { begun, begin } = beginning();
  const slow = workflow("slow", async (attempt) => {
    begin();
    return attempt.step("s", () => pause(20, "done"));
  });
  const run = await store.runs.submit(slow, null);
  const working = store.work([slow], { signal: stop.signal, log: "off" });
  await begun;
  stop.abort();
  await working;
  assert.equal((await store.runs.get(run.runId)).result, "done");
  await store.runs.submit(slow, null);
  await store.work([slow], { signal: stop.signal });
});

test("a function that never ends is given back after the grace time, and refused", async (t) => {
  const store = await memory(t);
  const { begun, begin } = beginning();
  let left: Attempt | undefined;
  const deaf = workflow("deaf", async (attempt) => {
    left = attempt;
    begin();
    await new Promise(() => undefined);
  });
  const { runId } = await store.runs.submit(deaf, null);
  const worker = store.worker([deaf], { graceMs: 10, log: "off" });
  await begun;
  await worker.stop();
  const { state, attempts, tries } = await store.runs.get(runId);
  assert.deepEqual([state, attempts, tries], ["pending", 1, 0]);
  assert.ok(left?.signal.reason instanceof WorkerStopped);
  const late = [
    () => left?.step("late", () => 1),
    () => left?.sleep("late", 1),
    () => left?.signalled("late"),
    () => left?.child("late", "w"),
    () => left?.event("late"),
    () => left?.check(),
    () => left?.complete(),
  ];
  for (const call of late) await assert.rejects(async () => call(), LeaseLostError);
});

test("a run that a stop gives back is not taken by a claim that was under way", async (t) => {
  const store = await memory(t);
  const { begun, begin } = beginning();
  const [under, way] = [beginning(), beginning()];
  const events: string[] = [];
  const heeds = workflow("heeds", async (attempt) => {
    begin();
    await told(attempt);
    events.push("told to end");
  });
  const claimFirst = store.runs.claimFirst.bind(store.runs);
  let claims = 0;
  store.runs.claimFirst = async (options, max, how) => {
    claims += 1;
    if (claims === 1) return claimFirst(options, max, how);
    under.begin();
    await way.begun;
    events.push("the claim looks once more");
    return claimFirst(options, max, { waitMs: 0 });
  };
  const { runId } = await store.runs.submit(heeds, null);
  const onEvent = ({ event }: WorkerEvent): unknown => events.push(event);
  const worker = store.worker([heeds], { concurrency: 2, hooks: { onEvent }, log: "off" });
  await Promise.all([begun, under.begun]);
  const stopped = [worker.stop(), worker.stop()];
  for (let turn = 0; turn < 10; turn++) {
    assert.equal((await store.runs.get(runId)).state, "running");
  }
  way.begin();
  await Promise.all(stopped);
  assert.deepEqual(events, ["claimed", "told to end", "the claim looks once more", "released"]);
  const { state, attempts, tries } = await store.runs.get(runId);
  assert.deepEqual([state, attempts, tries], ["pending", 1, 0]);
});

test("an attempt that is told to end begins nothing more", async (t) => {
  const store = await memory(t);
  const { begun, begin } = beginning();
  const seen: unknown[] = [];
  const eager = workflow("eager", async (attempt) => {
    begin();
    await told(attempt);
    await attempt.step("more", () => seen.push("begun")).catch((error) => seen.push(error));
  });
  const { runId } = await store.runs.submit(eager, null);
  const worker = store.worker([eager], { log: "off" });
  await begun;
  void worker.stop();
  await worker.stop();
  assert.ok(seen.length === 1 && seen[0] instanceof WorkerStopped);
  assert.equal((await store.runs.get(runId)).state, "pending");
});

test("an AbortError of a stop or cancel charges no try, of the run or a step", async (t) => {
  const store = await memory(t);
  for (const end of ["stop", "cancel"]) {
    const { begun, begin } = beginning();
    const heeds = workflow(`heeds a ${end}`, (attempt) =>
      attempt.step("wait", async () => {
        begin();
        await told(attempt);
        throw new DOMException("without a cause", "AbortError");
      }),
    );
    const { runId } = await store.runs.submit(heeds, null);
    const worker = store.worker([heeds], { log: "off" });
    await begun;
    if (end === "stop") void worker.stop();
    else {
      await store.runs.cancel(runId);
      await store.runs.wait(runId);
    }
    await worker.stop();
    const { run, steps } = await store.runs.history(runId);
    assert.deepEqual([run.state, run.tries], [end === "stop" ? "pending" : "cancelled", 0]);
    assert.deepEqual(steps, []);
  }
});

test("a worker that is disposed of is stopped", async (t) => {
  const store = await memory(t);
  {
    await using worker = store.worker({ w: () => 1 }, { log: "off" });
    const run = await store.runs.submit<number>("w");
    assert.equal(await store.runs.result(run), 1);
    assert.ok(worker);
  }
});

test("several workers of one process end apart", async (t) => {
  const store = await onDisk(t);
  const first = store.worker({ w: () => 1 }, { log: "off" });
  const second = store.worker({ w: () => 2 }, { log: "off" });
  await first.stop();
  assert.equal(await store.runs.result(await store.runs.submit<number>("w")), 2);
  await second.stop();
});

const MOMENTS: Readonly<Record<string, (attempt: Attempt, close: () => void) => unknown>> = {
  "before a step": (attempt, close) => {
    close();
    return attempt.step("s", () => 1);
  },
  "in a step": (attempt, close) => attempt.step("s", close),
  "beside a call": (attempt, close) => {
    const call = attempt.step("s", () => 1);
    close();
    return call;
  },
  "before a wait": (attempt, close) => {
    close();
    return attempt.sleep("s", 60_000);
  },
  "before it returns": (_, close) => close(),
  "before it throws": (_, close) => {
    close();
    throw new Error("after the close");
  },
  "while it hangs": (_, close) => {
    close();
    return new Promise(() => undefined);
  },
};

const ENDS: Readonly<Record<string, [string, number]>> = {
  released: ["pending", 0],
  parked: ["waiting", 0],
  completed: ["completed", 0],
  retrying: ["pending", 1],
};

for (const [name, body] of Object.entries(MOMENTS)) {
  test(`a store that is closed ${name} ends its worker in order`, async (t) => {
    const path = join(folder(t), "store.db");
    const store = await Store.open(path);
    await store.init();
    const { runId } = await store.runs.submit("w");
    const events: WorkerEvent[] = [];
    const hooks = { onEvent: (event: WorkerEvent) => events.push(event) };
    const close = (): void => void store.close();
    const w = (attempt: Attempt): unknown => body(attempt, close);
    await store.work({ w }, { hooks, log: "off" });
    await store.close();
    await using other = await Store.open(path);
    const { state, tries } = await other.runs.get(runId);
    // Its end may have been stored before the close: what was told is what is stored.
    const [told, triesTold] = ENDS[events.at(-1)?.event ?? ""] ?? [];
    assert.deepEqual([state, tries], [told, triesTold], JSON.stringify(events));
  });
}

test("a worker is refused what it cannot do", async (t) => {
  const store = await memory(t);
  const refused = (workflows: object, options = {}): void => {
    assert.throws(() => store.worker(workflows as { w: () => void }, options));
  };
  const w = (): number => 1;
  refused({});
  refused({ w: 1 });
  refused([workflow("w", w), workflow("w", w)]);
  refused({ w }, { concurrency: 0 });
  refused({ w }, { concurrency: 1.5 });
  refused({ w }, { graceMs: Number.NaN });
  refused({ w }, { log: "loud" });
  const working = store.work({ w }, { queue: "q".repeat(1_000) });
  await assert.rejects(working, { name: "SW_ERR_TOO_BIG" });
});

/** A worker in a process of its own, which prints what happens. */
function workerProcess(path: string, body: string): ChildProcess {
  const code = `import { Store } from ${JSON.stringify(CLIENT)};
    const store = await Store.open(${JSON.stringify(path)});
    await store.init();
    const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    const say = (text) => process.stdout.write(text + "\\n");
    ${body}`;
  const args = ["--input-type=module", "-e", code];
  return spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
}

async function said(child: ChildProcess, line: string): Promise<void> {
  assert.ok(child.stdout);
  for await (const one of createInterface(child.stdout)) if (one === line) return;
  assert.fail(`${line} was not said`);
}

/** Milliseconds before a run of `submitted` is tried again. */
const BACKOFF_MS = 3_600_000;

async function submitted(t: TestContext): Promise<{ store: Store; runId: string }> {
  const store = await onDisk(t);
  const { runId } = await store.runs.submit("w", null, { backoffInitialMs: BACKOFF_MS });
  return { store, runId };
}

test("SIGTERM drains, and the process goes on behind its worker", async (t) => {
  const { store, runId } = await submitted(t);
  const child = workerProcess(
    store.path ?? "",
    `const two = [1, 2].map(() => store.work({
       w: async (attempt) => attempt.step("s", () => {
         say("begun");
         return new Promise((resolve) => process.once("SIGTERM", () => setTimeout(resolve, 50)));
       }),
     }, { signals: true }));
     await Promise.all(two);
     await store.close();
     say("listeners " + process.listenerCount("SIGTERM") + process.listenerCount("SIGINT"));`,
  );
  const exit = once(child, "exit");
  await said(child, "begun");
  child.kill("SIGTERM");
  assert.deepEqual(await exit, [0, null]);
  assert.equal((await store.runs.get(runId)).state, "completed");
});

test("a second signal gives back what runs, and a third ends the process", async (t) => {
  const { store, runId } = await submitted(t);
  const body = `store.work({
      w: async (attempt) => {
        attempt.signal.addEventListener("abort", () => say("told"));
        say("begun");
        process.once("SIGINT", () => say("stops"));
        return new Promise(() => setInterval(() => 1, 1000));
      },
    }, { signals: true }).then(() => store.close()).then(() => say("ended"));`;
  for (const third of [false, true]) {
    const child = workerProcess(store.path ?? "", body);
    const exit = once(child, "exit");
    const lines: string[] = [];
    assert.ok(child.stdout);
    for await (const line of createInterface(child.stdout)) {
      lines.push(line);
      if (line === "begun" || line === "stops") child.kill("SIGINT");
      if (line === "told" && third) child.kill("SIGTERM");
      if (line === "ended") child.kill("SIGTERM");
    }
    // What was left behind keeps the process alive, which now has no listener of ours.
    assert.deepEqual(await exit, [null, "SIGTERM"]);
    assert.deepEqual(lines, ["begun", "stops", "told", ...(third ? [] : ["ended"])]);
    if (!third) assert.equal((await store.runs.get(runId)).tries, 0);
  }
});

test("a run of a worker that exits is claimed again at once", async (t) => {
  const { store, runId } = await submitted(t);
  const child = workerProcess(
    store.path ?? "",
    `await store.work({ w: () => process.exit(3) }, { log: "off" });`,
  );
  assert.deepEqual(await once(child, "exit"), [3, null]);
  await using worker = store.worker({ w: () => "again" }, { log: "off" });
  assert.equal(await store.runs.result<string>(runId), "again");
  assert.ok(worker);
});

/** What a thread does that works at a store until it is terminated. */
function threadOf(path: string | null, body: string): Thread {
  const code = `import { parentPort } from "node:worker_threads";
    import { Store } from ${JSON.stringify(CLIENT)};
    const store = await Store.open(process.argv.at(-1), { leaseDefaultMs: 1_000 });
    ${body}`;
  const url = new URL(`data:text/javascript,${encodeURIComponent(code)}`);
  return new Thread(url, { argv: [path] });
}

test("threads that are terminated at any moment leave the process alone", async (t) => {
  const store = await onDisk(t);
  for (let round = 0; round < 12; round += 1) {
    const threads = [1, 2].map(() =>
      threadOf(
        store.path,
        `parentPort.postMessage("works");
         await store.work({ w: (attempt) => attempt.step("s", () => 1) }, { concurrency: 4, log: "off" });`,
      ),
    );
    const submits = Array.from({ length: 10 }, () => store.runs.submit("w"));
    await Promise.all(threads.map((thread) => once(thread, "message")));
    await pause(round * 4);
    await Promise.all([...submits, ...threads.map((thread) => thread.terminate())]);
  }
  assert.deepEqual(await store.check(), { ok: true, faults: [] });
});

test("workers in threads share a file, and the run of one that is terminated lapses", async (t) => {
  const store = await onDisk(t);
  const body = `await store.work({
      hang: () => { parentPort.postMessage("hangs"); return new Promise(() => setInterval(() => 1, 1000)); },
      add: (_, n) => n + 1,
    }, { concurrency: 4, log: "off" });`;
  const threads = [1, 2].map(() => threadOf(store.path, body));
  t.after(() => Promise.all(threads.map((thread) => thread.terminate())));
  const many = Array.from({ length: 20 }, (_, n) => store.runs.submit<number>("add", n));
  const results = await Promise.all(many.map(async (run) => store.runs.result(await run)));
  assert.deepEqual(
    results,
    Array.from({ length: 20 }, (_, n) => n + 1),
  );
  const hung = threads.map((thread, at) => once(thread, "message").then(() => at));
  const { runId } = await store.runs.submit("hang");
  const at = await Promise.race(hung);
  await threads[at]?.terminate();
  // The other thread has it when its lease has lapsed.
  await hung[1 - at];
  const { attempts, state } = await store.runs.get(runId);
  assert.deepEqual([state, attempts], ["running", 2]);
});

test("a worker says nothing on stdout, and on stderr what is worth a warning", async (t) => {
  const { store } = await submitted(t);
  const code = `import { Store } from ${JSON.stringify(CLIENT)};
    const store = await Store.open(process.argv.at(-1));
    const worker = store.worker({
      w: async (attempt) => {
        await attempt.step("fine", () => 1);
        throw Object.assign(new Error("the printer is on fire"), { stack: "here\\nand there" });
      },
    }, { hooks: { onEvent: ({ event }) => { if (event === "retrying") worker.stop(); } } });
    await worker.done;
    await store.close();`;
  const args = ["--input-type=module", "-e", code, store.path ?? ""];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  assert.equal(out, "");
  const line =
    /^smolwf warning: retrying w run_\w+ attempt 1 duration_ms=\d+ error=.*on fire.* retry_at_ms=(\d+)\nhere\nand there\n$/;
  assert.match(err, line);
  const [, retryAt] = line.exec(err) ?? [];
  assert.ok(Number(retryAt) > Date.now() + BACKOFF_MS / 2);
});
