/** Many runs under worker processes that are told to stop, twice at times, and that are killed. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Store } from "../src/index.js";
import { folder } from "./support.js";

const RUNS = 60;
const WORKERS = 3;
/** What happens to one worker after the other. */
const FATES = [
  "SIGKILL",
  "SIGTERM",
  "SIGTERM twice",
  "SIGKILL",
  "SIGTERM twice",
  "SIGKILL",
] as const;

const CLIENT = new URL("../src/index.js", import.meta.url).href;

const WORKER = `import { appendFileSync } from "node:fs";
  import { Store } from ${JSON.stringify(CLIENT)};
  const [path, bills] = process.argv.slice(-2);
  const store = await Store.open(path);
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const pay = (attempt, name) => attempt.step(name, async () => {
    await pause(Math.random() * 8);
    if (Math.random() < 0.15) throw new Error("the bank is busy");
    appendFileSync(bills, attempt.runId + " " + name + " " + process.pid + "\\n");
    await pause(Math.random() * 8);
    return name;
  }, { maxTries: 1000, backoffInitialMs: 1, backoffMaxMs: 2 });
  const order = async (attempt) => {
    const paid = await Promise.all(["ann", "bob", "eve"].map((name) => pay(attempt, name)));
    const child = await attempt.child("part", "part", null, { maxTries: 1000, backoffInitialMs: 1 });
    if (Math.random() < 0.1) throw new Error("of the order");
    const approved = await attempt.signalled("go");
    await attempt.sleep("rest", 3);
    return [...paid, await attempt.childResult(child), approved];
  };
  const part = async (attempt) => {
    if (Math.random() < 0.2) throw new Error("of the part");
    return pay(attempt, "part");
  };
  const worker = store.worker({ order, part }, { concurrency: 8, signals: true, log: "off" });
  process.stdout.write("listens");
  await worker.done;
  await store.close();`;

/** Resolves when the worker listens to signals. */
async function start(t: TestContext, path: string, bills: string): Promise<ChildProcess> {
  const args = ["--input-type=module", "-e", WORKER, path, bills];
  const worker = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => worker.kill("SIGKILL"));
  await once(worker.stdout, "data");
  return worker;
}

/**
 * Ends a worker as its fate is; one that is told to stop must end in order. The second signal may come
 * when the worker has ended, and its process is on its way out.
 */
async function end(worker: ChildProcess, fate: (typeof FATES)[number]): Promise<void> {
  const exit = once(worker, "exit");
  worker.kill(fate === "SIGKILL" ? "SIGKILL" : "SIGTERM");
  if (fate === "SIGTERM twice") {
    await pause(10);
    worker.kill("SIGTERM");
  }
  const [code, signal] = await exit;
  const isLate = fate === "SIGTERM twice" && signal === "SIGTERM";
  assert.ok(fate === "SIGKILL" || code === 0 || isLate, `${fate}: ${code} ${signal}`);
}

test("whatever becomes of workers, every run ends, and nothing is paid twice in vain", async (t) => {
  const at = folder(t);
  const [path, bills] = [join(at, "store.db"), join(at, "bills")];
  writeFileSync(bills, "");
  await using store = await Store.open(path);
  await store.init();
  const orders = Array.from({ length: RUNS }, () => ({
    ...{ workflow: "order", maxTries: 1_000, backoffInitialMs: 1, backoffMaxMs: 5 },
  }));
  const ids = (await store.runs.submitMany(orders)).map((run) => run.runId);
  const starting = Array.from({ length: WORKERS }, () => start(t, path, bills));
  const workers = await Promise.all(starting);
  const killed = new Set<string>();
  for (const [n, fate] of FATES.entries()) {
    await pause(50 + Math.random() * 150);
    const worker = workers[n % WORKERS];
    if (!worker) continue;
    if (fate === "SIGKILL") killed.add(String(worker.pid));
    await end(worker, fate);
    workers[n % WORKERS] = await start(t, path, bills);
    for (const id of ids.slice(n * 10, n * 10 + 10)) await store.signals.send(id, "go", n);
  }
  for (const [at, id] of ids.entries()) {
    const run = await store.runs.wait(id, { timeoutMs: 60_000 });
    const expected = ["ann", "bob", "eve", "part", Math.floor(at / 10)];
    assert.deepEqual([run?.state, run?.result], ["completed", expected]);
  }
  await Promise.all(workers.map((worker) => end(worker, "SIGTERM")));
  const payers = new Map<string, string[]>();
  for (const line of readFileSync(bills, "utf8").trim().split("\n")) {
    const [run, step, pid = ""] = line.split(" ");
    const bill = `${run} ${step}`;
    payers.set(bill, [...(payers.get(bill) ?? []), pid]);
  }
  assert.equal(payers.size, RUNS * 4);
  const twice = [...payers].filter(([, pids]) => pids.slice(0, -1).some((pid) => !killed.has(pid)));
  assert.deepEqual(twice, [], "paid again though no kill was in the way");
});
