/** How transactions end that do not end well: nested, late, forgotten, stopped, locked out, killed. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import {
  type Attempt,
  type Changed,
  ClosedError,
  LeaseLostError,
  RecordedFailure,
  Store,
  type Transaction,
  TransactionError,
  type TxItem,
  type WorkerEvent,
  workflow,
} from "../src/index.js";
import { ACCOUNTS, balances, bank, GIVE, move, TAKE, working } from "./bank.js";
import { claimed, folder, onDisk } from "./support.js";
import { HOLDER } from "./world.js";

test("one transaction inside of another is refused, and ends its step for good", async (t) => {
  const { store, attempt } = await working(t);
  const inner: Readonly<Record<string, () => Promise<unknown>>> = {
    store: () => store.transaction((tx) => move(tx, 1)),
    commit: () => attempt.commit((tx) => move(tx, 1)),
    step: () => attempt.transaction("inner", (tx) => move(tx, 1)),
    complete: () => attempt.completeIn((tx) => move(tx, 1)),
  };
  for (const [name, nested] of Object.entries(inner)) {
    const outer = attempt.transaction(name, async (tx) => {
      move(tx, 1);
      await nested();
    });
    await assert.rejects(outer, (error) => {
      assert.ok(error instanceof RecordedFailure, String(error));
      return /inside of another is no part of it/.test(error.message);
    });
    await assert.rejects(store.transaction(nested), TransactionError);
  }
  assert.deepEqual(await balances(store), [100, 100]);
});

test("a query and a step may stand in the code of a transaction", async (t) => {
  const { store, attempt } = await working(t);
  const rate = await attempt.transaction("s", async (tx) => {
    const { rows } = await store.query<[number]>("SELECT balance FROM accounts WHERE id = 1");
    const fee = await attempt.step("ask for the fee", () => 3);
    move(tx, (rows[0]?.[0] ?? 0) - 90 + fee);
    return fee;
  });
  assert.deepEqual([rate, await balances(store)], [3, [87, 113]]);
});

const MISUSES: Readonly<Record<string, (tx: Transaction, other: TxItem<unknown>) => unknown>> = {
  "names two results": (tx) => {
    tx.result(1);
    tx.result(2);
  },
  "names a result and returns another": (tx) => {
    tx.result(1);
    return 2;
  },
  "names the item of another one": (tx, other) => tx.resultFrom(other),
  "reads what is not there yet": (tx) => move(tx, 1).result.changes,
};

for (const [name, work] of Object.entries(MISUSES)) {
  test(`a transaction that ${name} is refused`, async (t) => {
    const { store, attempt } = await working(t);
    let other: TxItem<unknown> | undefined;
    await store.transaction((tx) => {
      other = tx.query("SELECT 1");
    });
    const misuse = (tx: Transaction): unknown => {
      move(tx, 1);
      return work(tx, other as TxItem<unknown>);
    };
    await assert.rejects(store.transaction(misuse), TransactionError);
    await assert.rejects(attempt.transaction("s", misuse), RecordedFailure);
    assert.deepEqual(await balances(store), [100, 100]);
  });
}

test("what comes after the end of a transaction is refused", async (t) => {
  const store = await bank(t);
  let kept: Transaction | undefined;
  await store.transaction((tx) => {
    kept = tx;
  });
  const late = [
    () => kept?.execute(GIVE, [1, 1]),
    () => kept?.query("SELECT 1"),
    () => kept?.submit("w"),
    () => kept?.signal("run", "go"),
    () => kept?.result(1),
  ];
  for (const call of late) assert.throws(call, /the transaction is over/);
});

test("a transaction that nobody awaits fails its run for good, and is named", async (t) => {
  const calls: Readonly<Record<string, (attempt: Attempt) => Promise<unknown>>> = {
    "step pay": (attempt) => attempt.transaction("pay", (tx) => move(tx, 1)),
    "a transaction": (attempt) => attempt.commit((tx) => move(tx, 1)),
  };
  for (const [name, call] of Object.entries(calls)) {
    const { attempt } = await working(t);
    const outcome = await attempt.perform((one) => void call(one));
    assert.ok(outcome.state === "failed", JSON.stringify(outcome));
    assert.match(JSON.stringify(outcome.error), new RegExp(`ForgottenAwaitError.*${name}: nobody`));
  }
});

test("a wait in the code of a transaction parks the run, and nothing is done", async (t) => {
  const { store, attempt } = await working(t);
  const work = async (tx: Transaction): Promise<void> => {
    move(tx, 1);
    await attempt.sleep("nap", 60_000);
  };
  const outcome = await attempt.perform((one) => one.transaction("s", work));
  assert.deepEqual(outcome, { state: "suspended" });
  assert.deepEqual(await balances(store), [100, 100]);
});

test("a worker that stops leaves a transaction behind that does not end, and it does nothing", async (t) => {
  const store = await bank(t);
  let go = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    go = resolve;
  });
  let came: Promise<unknown> | undefined;
  let begin = (): void => undefined;
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const slow = workflow("slow", (attempt) => {
    came = attempt.transaction("s", async (tx) => {
      move(tx, 1);
      begin();
      await gate;
    });
    return came;
  });
  const { runId } = await store.runs.submit(slow, null);
  const worker = store.worker([slow], { graceMs: 1, log: "off" });
  await begun;
  await worker.stop();
  go();
  await assert.rejects(came ?? Promise.resolve(), LeaseLostError);
  assert.deepEqual(await balances(store), [100, 100]);
  const { state, tries } = await store.runs.get(runId);
  assert.deepEqual([state, tries], ["pending", 0]);
});

test("an abort that the code of a transaction hears is no failure of its step", async (t) => {
  const store = await bank(t);
  let begin = (): void => undefined;
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const hears = workflow("hears", (attempt) =>
    attempt.transaction("s", async (tx) => {
      move(tx, 1);
      begin();
      await pause(60_000, undefined, { signal: attempt.signal });
    }),
  );
  const { runId } = await store.runs.submit(hears, null);
  const worker = store.worker([hears], { log: "off" });
  await begun;
  await store.runs.cancel(runId);
  await store.runs.wait(runId);
  await worker.stop();
  assert.deepEqual(await balances(store), [100, 100]);
  const { run, steps } = await store.runs.history(runId);
  assert.deepEqual([run.state, steps], ["cancelled", []]);
});

test("a store that is closed on the way is told, and nothing is done", async (t) => {
  const path = join(folder(t), "store.db");
  const open = async (): Promise<Store> => {
    const store = await Store.open(path);
    await store.init();
    return store;
  };
  const store = await open();
  await store.transaction((tx) => {
    tx.execute(ACCOUNTS);
    tx.execute("INSERT INTO accounts VALUES (1, 100), (2, 100)");
  });
  const { runId } = await store.runs.submit("w");
  const attempt = await claimed(store);
  let closed: Promise<void> | undefined;
  const outcome = await attempt.perform((one) =>
    one.transaction("s", (tx) => {
      move(tx, 1);
      closed = store.close();
    }),
  );
  await closed;
  assert.deepEqual(outcome, { state: "released", reason: "the store was closed" });
  await assert.rejects(
    store.transaction((tx) => move(tx, 1)),
    ClosedError,
  );
  await assert.rejects(store.query("SELECT 1"), ClosedError);
  await using other = await open();
  assert.deepEqual(await balances(other), [100, 100]);
  const { run, steps } = await other.runs.history(runId);
  assert.deepEqual([run.tries, steps], [0, []]);
});

test("a lock is waited out, and the transaction is done once", async (t) => {
  // Statements may take as long as calls wait, so it is not too short for them.
  const store = await onDisk(t, { busyTimeoutMs: 200 });
  await store.transaction((tx) => {
    tx.execute(ACCOUNTS);
    tx.execute("INSERT INTO accounts VALUES (1, 100), (2, 100)");
  });
  const { runId } = await store.runs.submit("w");
  const attempt = await claimed(store);
  const holder = spawn("python3", ["-c", HOLDER, store.path ?? ""]);
  t.after(() => holder.kill());
  await once(holder.stdout, "data");
  const delayed: string[] = [];
  const onEvent = (event: WorkerEvent): void => {
    if (event.event !== "delayed") return;
    delayed.push(event.call);
    holder.stdin.end();
  };
  const transfer = (one: Attempt): Promise<Changed> => one.transaction("s", (tx) => move(tx, 1));
  const outcome = await attempt.perform(transfer, { hooks: { onEvent }, log: "off" });
  assert.equal(outcome.state, "completed", JSON.stringify(outcome));
  // Once, or more often where the other takes its time to let go.
  assert.deepEqual([...new Set(delayed)], ["sw_tx_run"]);
  assert.deepEqual(await balances(store), [99, 101]);
  assert.equal((await store.runs.history(runId)).steps.length, 1);
});

const CLIENT = new URL("../src/index.js", import.meta.url).href;

/** Claims the run in a process of its own, and dies at a moment of its step. */
function dies(path: string, moment: string): void {
  const text = `import { Store } from ${JSON.stringify(CLIENT)};
    const [path, moment] = process.argv.slice(-2);
    const die = (now) => now === moment && process.kill(process.pid, "SIGKILL");
    const store = await Store.open(path);
    const attempt = await store.runs.claim({ waitMs: -1 });
    const moved = attempt.transaction("s", (tx) => {
      tx.execute(${JSON.stringify(TAKE)}, [7, 1], { expectChanges: 1 });
      die("in its code");
      tx.execute(${JSON.stringify(GIVE)}, [7, 2], { expectChanges: 1 });
    });
    setTimeout(die, 0, "on its way");
    await moved;
    die("after its commit");`;
  const args = ["--input-type=module", "-e", text, path, moment];
  const { signal, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  assert.equal(signal, "SIGKILL", stderr);
}

test("whenever its process is killed, a step has moved money once when the run ends", async (t) => {
  const path = join(folder(t), "store.db");
  const store = await Store.open(path);
  t.after(() => store.close());
  await store.init();
  await store.transaction((tx) => {
    tx.execute(ACCOUNTS);
    tx.execute("INSERT INTO accounts VALUES (1, 100), (2, 100)");
  });
  const { runId } = await store.runs.submit("w");
  for (const moment of ["in its code", "on its way", "after its commit"]) dies(path, moment);
  assert.deepEqual(await balances(store), [93, 107]);
  const attempt = await store.runs.claim({ waitMs: -1 });
  const outcome = await attempt?.perform((one) => one.transaction("s", (tx) => move(tx, 7)));
  assert.equal(outcome?.state, "completed");
  assert.deepEqual(await balances(store), [93, 107]);
  assert.equal((await store.runs.get(runId)).attempts, 4);
});
