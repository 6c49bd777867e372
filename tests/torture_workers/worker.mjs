/** A worker of scripts/torture-workers.sh, in Node: as worker.py, in the client's own ways.
 * usage: worker.mjs store plans from lease_ms; TORTURE_NODE is the built client */
import { openSync, readFileSync, writeSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

const { ConflictError, NotFoundError, RecordedFailure, Store } = await import(process.env.TORTURE_NODE);
const WHO = `node.${process.pid}`;
const RUNS = { work: 3, narrow: 2 };
const PATIENT = { maxTries: 1000, backoffInitialMs: 5, backoffMaxMs: 20 };
const witness = openSync(process.env.TORTURE_WITNESS, "a");
let tokens = 0;
let isStopping = false;

const token = () => `${WHO}.${++tokens}`;

async function note(kind, run, name = "", attempt = 0, value = "") {
  const fact = `\n${[kind, run, name, attempt, value, WHO, "."].join("\t")}`;
  for (;;) {
    try {
      if (writeSync(witness, fact) === fact.length) return;
    } catch {
      await pause(10); // the disk is full: it will have room again
    }
  }
}

/** Does one step and says what it came to. */
async function step(attempt, name, what, count) {
  const options = { ...PATIENT };
  if (what === "s") options.input = { at: 1, op: "s" };
  if (what === "d") options.maxTries = 1;
  const work = async (step) => {
    if (what === "b") await attempt.reserve({ coins: count }, { step });
    await note("effect", attempt.runId, name, attempt.number, step.tries);
    if (what === "w") await pause(count);
    if (what === "f" && step.tries < count) throw new Error("an early try");
    if (what === "d" && attempt.number % 2 === 1) throw new Error("an odd attempt");
    if (what === "b") step.used({ coins: count - Math.floor(count / 3) });
    return token() + (what === "h" ? "/".repeat(20_000) : "");
  };
  const value = await attempt.step(name, work, options);
  await note("seen", attempt.runId, name, attempt.number, value.replace(/\/+$/, ""));
}

/** A step whose work never runs twice: interrupted, it has failed. */
async function once(attempt, name) {
  const work = async (step) => {
    await note("effect", attempt.runId, name, attempt.number, step.tries);
    return token();
  };
  try {
    const value = await attempt.step(name, work, { track: true, maxTries: 1 });
    await note("seen", attempt.runId, name, attempt.number, value);
  } catch (error) {
    if (!(error instanceof RecordedFailure)) throw error;
    await note("interrupted", attempt.runId, name, attempt.number);
  }
}

async function transaction(attempt, name, count) {
  const one = { expectChanges: 1 };
  const work = (tx) => {
    const entry = [attempt.runId, name, count];
    tx.execute("INSERT INTO torture_entries VALUES (?, ?, ?)", entry, one);
    tx.execute("UPDATE torture_total SET amount = amount + ?", [count], one);
    return token();
  };
  const value = await attempt.transaction(name, work, PATIENT);
  await note("seen", attempt.runId, name, attempt.number, value);
}

/** A wait for what nobody sends, until its time is over. */
async function waitInVain(attempt, name, count) {
  const value = await attempt.signalled(name, { timeoutMs: count });
  if (value === undefined) await note("timeout", attempt.runId, name, attempt.number);
}

/** The first of a message, a child and a time. */
async function firstOf(attempt, key, name, count) {
  const args = `${key}.${name}0 s w5 b1 x1`;
  const options = { ...PATIENT, queue: "work" };
  const child = await attempt.child(`${name}0`, "torture", args, options);
  const came = await attempt.any(name, [{ signal: "yes" }, { child }, { sleepMs: count }]);
  const value = `${came.index}.${came.value ?? ""}`;
  await note("chosen", attempt.runId, name, attempt.number, value);
}

async function children(attempt, key, name, count) {
  const item = (_, at) => ({
    ...PATIENT,
    name: `${name}${at}`,
    workflow: "torture",
    queue: "work",
    args: `${key}.${name}${at} s w5 b1 x1`,
  });
  const ids = await attempt.children(Array.from({ length: count }, item));
  const waits = ids.map((child) => ({ child }));
  const came = await attempt.all(name, waits);
  for (const [at, child] of ids.entries()) await note("child", child, "", 0, came[at].value);
}

async function perform(attempt, key, name, what, count) {
  if ("swfhbd".includes(what)) await step(attempt, name, what, count);
  else if (what === "t") await once(attempt, name);
  else if (what === "x") await transaction(attempt, name, count);
  else if (what === "z") await attempt.sleep(name, count);
  else if (what === "q") await waitInVain(attempt, name, count);
  else if (what === "n") await attempt.signalled("never");
  else if (what === "c") await children(attempt, key, name, count);
  else if (what === "a") await firstOf(attempt, key, name, count);
  else if (what === "g") {
    const value = await attempt.signalled("go");
    await note("seen", attempt.runId, name, attempt.number, value);
  } else if (what === "e") {
    await attempt.event("noted", name, name);
    await note("event", attempt.runId, name);
  } else if (what === "r" && attempt.number % 2 === 1) throw new Error("an odd attempt");
}

async function torture(attempt, args) {
  const [key, ...ops] = args.split(" ");
  for (const [at, op] of ops.entries()) {
    await perform(attempt, key, `${at}${op[0]}`, op[0], Number(op.slice(1)));
  }
  return token();
}

/** The answer of a call that is made again while the store is locked or has no room. */
async function patiently(call) {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!error.retryable && error.name !== "SW_ERR_FULL") throw error;
      await pause(20);
    }
  }
}

async function cancel(store, runId) {
  await pause(30);
  try {
    await patiently(() => store.runs.cancel(runId));
  } catch (error) {
    if (!(error instanceof ConflictError)) throw error;
    return; // it has ended before
  }
  const run = await patiently(() => store.runs.get(runId));
  await note("cancel", runId, "", run.attempts);
}

async function pauseRun(store, runId) {
  try {
    await patiently(() => store.runs.pause(runId));
    await pause(30);
    await patiently(() => store.runs.resume(runId));
  } catch (error) {
    if (!(error instanceof ConflictError)) throw error; // it has ended before
  }
}

async function send(store, runId, name, key) {
  try {
    await patiently(() => store.signals.send(runId, name, key, key));
    await note("signal", runId, name, 0, key);
  } catch (error) {
    if (!(error instanceof ConflictError)) throw error; // it has ended before
  }
}

/** A call that failed may have made one all the same: each is noted before. */
async function fork(store, runId, from) {
  const ask = async () => {
    await note("forking", runId, from);
    return await store.runs.fork(runId, from || undefined);
  };
  try {
    await note("fork", await patiently(ask), from, 0, runId);
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error; // it has not come so far
  }
}

async function retry(store, runId, attempts) {
  await note("retrying", runId);
  try {
    await patiently(() => store.runs.retry(runId));
    await note("retry", runId, "", attempts);
  } catch (error) {
    if (!(error instanceof ConflictError)) throw error; // a call before, which failed, has done it
  }
}

async function wait(store, runId) {
  const ended = await patiently(() => store.runs.wait(runId, { timeoutMs: 1500 }));
  if (ended) await note("end", runId, ended.state, ended.attempts, ended.result ?? "");
  return ended ?? { state: "open" };
}

async function submit(store, line) {
  const [key, queue, shared, what, args] = line.split("\t");
  const [act, how] = what.split(":");
  const options = { ...PATIENT, idempotencyKey: key, queue, budget: { coins: 20 } };
  if (shared !== "-") options.concurrencyKey = shared;
  if (act === "timeout") options.timeoutMs = Number(how);
  const began = Date.now();
  const { runId } = await patiently(() => store.runs.submit("torture", args, options));
  await note("submit", runId, key);
  if (act === "cancel") await cancel(store, runId);
  if (act === "pause") await pauseRun(store, runId);
  if (act === "signal" || act === "yes") {
    await send(store, runId, act === "yes" ? "yes" : "go", key);
  }
  const ended = await wait(store, runId);
  if (act === "fork") await fork(store, runId, how);
  if (ended.state !== "failed") return;
  if (act === "timeout") await note("late", runId, key, 0, Date.now() - began);
  if (act === "retry") {
    await retry(store, runId, ended.attempts);
    await wait(store, runId);
  }
}

const [path, plans, first, leaseMs] = process.argv.slice(2);
const mine = readFileSync(plans, "ascii").trimEnd().split("\n").slice(Number(first));
const store = await Store.open(path, { noCreate: true });
const lease = leaseMs === "0" ? {} : { leaseMs: Number(leaseMs) };
const stop = new AbortController();
process.on("SIGTERM", () => {
  isStopping = true;
  stop.abort();
});
const working = Object.entries(RUNS).map(([queue, concurrency]) =>
  store.work({ torture }, { queue, concurrency, worker: WHO, signal: stop.signal, ...lease }),
);
const submitting = (async () => {
  for (const line of mine) {
    if (isStopping) return;
    await submit(store, line);
  }
})().catch((error) => {
  if (isStopping) return;
  console.error(`${WHO}: no more submits: ${error}`);
  process.exit(3);
});
await Promise.all(working);
await submitting;
await store.close();
