/** Tables of the host's own: transactions of a store, of an attempt, and as steps. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import {
  type Attempt,
  type Changed,
  ConflictError,
  EncodeError,
  InvalidError,
  LeaseLostError,
  NotFoundError,
  RecordedFailure,
  type Rows,
  type Store,
  Suspended,
  type Transaction,
  type TxItem,
  type WorkerEvent,
  workflow,
} from "../src/index.js";
import { balances, bank, GIVE, move, TAKE, working } from "./bank.js";
import { claimed } from "./support.js";

/** Gives the run back, and claims it again. */
async function again(store: Store, attempt: Attempt): Promise<Attempt> {
  await attempt.release();
  return claimed(store);
}

test("a transaction of a store is done whole, and says what each item came to", async (t) => {
  const store = await bank(t);
  const { runId } = await store.runs.submit("waits");
  const once = { idempotencyKey: "k" };
  const items = await store.transaction(async (tx) => {
    const moved = tx.execute<[number]>(`${GIVE} RETURNING balance`, [5, 2], { expectChanges: 1n });
    await pause(1);
    const read = tx.query<[number]>("SELECT sum(balance) AS total FROM accounts");
    const run = tx.submit("w", { a: 1 }, { ...once, queue: "q", metadata: { m: 1 } });
    const same = tx.submit("w", undefined, once);
    const signals = [1, 2].map((n) => tx.signal(runId, "go", { n }, once));
    assert.throws(() => moved.result, /not committed: its code has not returned/);
    return { moved, read, run, same, signals };
  });
  assert.deepEqual(items.moved.result, {
    ...{ changes: 1, columns: ["balance"], rows: [[105]], more: false },
  });
  assert.deepEqual(items.read.result, { columns: ["total"], rows: [[205]], more: false });
  const { run_id, exists } = items.run.result;
  assert.deepEqual([exists, items.same.result], [false, { run_id, exists: true }]);
  assert.deepEqual(
    items.signals.map(({ result }) => result),
    [{ exists: false }, { exists: true }],
  );
  const run = await store.runs.get(run_id);
  assert.deepEqual([run.args, run.queue, run.metadata], [{ a: 1 }, "q", { m: 1 }]);
  assert.equal(await store.runs.find("k", { workflow: "w" }), run_id);
});

test("a transaction resolves to what its code returns, of an item to what that came to", async (t) => {
  const store = await bank(t);
  const returned = {};
  assert.equal(await store.transaction(() => returned), returned);
  assert.equal(await store.transaction(() => undefined), undefined);
  const rows: Rows<[number]> = await store.transaction((tx) => tx.query<[number]>("SELECT 1 AS n"));
  assert.deepEqual(rows, { columns: ["n"], rows: [[1]], more: false });
  const changed = await store.transaction((tx) => void tx.resultFrom(move(tx, 1)));
  assert.deepEqual(changed, { changes: 1 });
  assert.equal(await store.transaction((tx) => tx.result(7)), 7);
});

const REFUSED: Readonly<Record<string, [(tx: Transaction) => unknown, RegExp, unknown]>> = {
  "expected another number of changes": [
    (tx) => tx.execute(GIVE, [1, 99], { expectChanges: 1 }),
    /script\[1\]: sql changed 0 rows, expected 1/,
    ConflictError,
  ],
  "fails a constraint": [(tx) => tx.execute(TAKE, [500, 1]), /CHECK/, ConflictError],
  "is no SQL": [(tx) => tx.execute("UPSERT"), /script\[1\]: .*syntax error/, InvalidError],
  "is two statements": [(tx) => tx.execute("SELECT 1; SELECT 2"), /more than one/, InvalidError],
  "writes the library's tables": [
    (tx) => tx.execute("DELETE FROM sw_workflow_steps"),
    /names that begin with sw_/,
    InvalidError,
  ],
  "writes as a query": [(tx) => tx.query("DELETE FROM accounts"), /only a query/, InvalidError],
  "attaches a file": [(tx) => tx.execute("ATTACH 'x' AS x"), /ATTACH/, InvalidError],
  "sends to nobody": [
    (tx) => tx.signal("run_01arz3ndektsv4rrffq69g5fav", "go"),
    /no run has the id/,
    NotFoundError,
  ],
  "submits no workflow": [(tx) => tx.submit(""), /script\[1\]/, InvalidError],
  "has a value without a form": [(tx) => tx.execute(GIVE, [Number.NaN, 1]), /NaN/, EncodeError],
  "has arguments without a form": [(tx) => tx.submit("w", () => 1), /a function/, EncodeError],
  "expects a part of a row": [
    (tx) => tx.execute(GIVE, [1, 1], { expectChanges: 0.5 }),
    /expect_changes/,
    InvalidError,
  ],
  "has no text": [(tx) => tx.execute(undefined as unknown as string), /no text/, TypeError],
  "throws at last": [
    () => {
      throw new RangeError("by its author");
    },
    /by its author/,
    RangeError,
  ],
};

for (const [name, [act, message, ErrorClass]] of Object.entries(REFUSED)) {
  test(`a transaction that ${name} has done nothing`, async (t) => {
    const { store, attempt } = await working(t);
    let first: TxItem<Changed> | undefined;
    const work = (tx: Transaction): void => {
      first = tx.execute(GIVE, [1, 1]);
      act(tx);
    };
    const isIt = (error: unknown): boolean => {
      assert.ok(error instanceof (ErrorClass as typeof Error), String(error));
      return message.test(error.message);
    };
    await assert.rejects(store.transaction(work), isIt);
    assert.throws(() => first?.result, /not committed: it failed/);
    await assert.rejects(attempt.commit(work), isIt);
    await assert.rejects(attempt.completeIn(work), isIt);
    {
      using step = await attempt.begin("by hand");
      await assert.rejects(step.completeIn(work), isIt);
      await step.complete("after all");
    }
    await assert.rejects(attempt.transaction("s", work), Suspended);
    const failed = attempt.transaction("once", work, { maxTries: 1 });
    await assert.rejects(failed, (error) => {
      assert.ok(error instanceof RecordedFailure, String(error));
      return message.test((error.error as { message: string }).message);
    });
    assert.deepEqual(await balances(store), [100, 100]);
    const { steps } = await store.runs.history(attempt.runId);
    assert.deepEqual(
      steps.map((one) => [one.name, one.state]),
      [
        ["by hand", "completed"],
        ["s", "backing_off"],
        ["once", "failed"],
      ],
    );
  });
}

test("a step moves money once, and a replay answers its result without running it", async (t) => {
  const { store, attempt } = await working(t);
  const moved = await attempt.transaction("transfer", (tx) => move(tx, 30));
  assert.deepEqual(moved, { changes: 1 });
  const left = await attempt.transaction("read", (tx) =>
    tx.query<[number]>("SELECT balance FROM accounts ORDER BY id"),
  );
  assert.deepEqual(left.rows, [[70], [130]]);
  const other = await again(store, attempt);
  const undone = (): never => assert.fail("the code ran again");
  assert.deepEqual(await other.transaction("transfer", undone), moved);
  assert.deepEqual(await other.transaction("read", undone), left);
  assert.deepEqual(await balances(store), [70, 130]);
  const { steps } = await store.runs.history(attempt.runId);
  assert.deepEqual(
    steps.map((one) => [one.name, one.state, one.result]),
    [
      ["transfer", "completed", { changes: 1 }],
      ["read", "completed", { columns: ["balance"], rows: [[70], [130]], more: false }],
    ],
  );
});

const RESULTS: Readonly<Record<string, [(tx: Transaction) => unknown, unknown]>> = {
  "that it returns": [() => ({ a: [1, "x"] }), { a: [1, "x"] }],
  "that it names": [(tx) => void tx.result({ a: 1 }), { a: 1 }],
  "that it names and returns": [(tx) => tx.result("r"), "r"],
  "of an item that it names": [(tx) => void tx.resultFrom(move(tx, 1)), { changes: 1 }],
  "of an item that it returns later": [async (tx) => move(tx, 1), { changes: 1 }],
  "with wide integers and bytes": [
    () => ({ wide: 2n ** 63n - 1n, bytes: Buffer.from("b"), large: 2 ** 60 }),
    { wide: 2n ** 63n - 1n, bytes: new Uint8Array([98]), large: 2 ** 60 },
  ],
  "with rows of them": [
    (tx) => tx.query("SELECT 9223372036854775807, x'62', 0.1"),
    {
      columns: ["9223372036854775807", "x'62'", "0.1"],
      rows: [[2n ** 63n - 1n, new Uint8Array([98]), 0.1]],
      more: false,
    },
  ],
  "that is none": [() => undefined, null],
};

for (const [name, [work, expected]] of Object.entries(RESULTS)) {
  test(`a step has the result ${name}, at first and ever after`, async (t) => {
    const { store, attempt } = await working(t);
    assert.deepEqual(await attempt.transaction("s", work), expected);
    const other = await again(store, attempt);
    const undone = (): never => assert.fail("the code ran again");
    assert.deepEqual(await other.transaction("s", undone), expected);
  });
}

test("a result without a form fails the step for good, and nothing is done", async (t) => {
  const { store, attempt } = await working(t);
  const step = attempt.transaction("s", (tx) => {
    move(tx, 1);
    return { at: [Number.NaN] };
  });
  await assert.rejects(step, (error) => {
    assert.ok(error instanceof RecordedFailure);
    return /result of step s cannot be recorded: \$\.at\[0\] is NaN/.test(error.message);
  });
  assert.deepEqual(await balances(store), [100, 100]);
});

test("a step that failed is tried again by its backoff, and its code runs again", async (t) => {
  const { store, attempt } = await working(t);
  let runs = 0;
  const pay = (): Promise<Changed> =>
    attempt.transaction("pay", (tx) => {
      runs += 1;
      return move(tx, runs === 1 ? 500 : 50);
    });
  await assert.rejects(pay(), Suspended);
  await store.advanceClock(60_000);
  assert.deepEqual(await pay(), { changes: 1 });
  assert.deepEqual([runs, await balances(store)], [2, [50, 150]]);
});

test("runs, messages and tables of one transaction are there together", async (t) => {
  const { store, attempt } = await working(t);
  const child = workflow("ship", async (_: Attempt, order: { id: number }) => order.id);
  const { run_id } = await attempt.transaction("order", (tx) => {
    move(tx, 10);
    tx.signal(attempt.runId, "ordered", { id: 7 });
    return tx.submit(child, { id: 7 });
  });
  assert.deepEqual((await store.runs.get(run_id)).args, { id: 7 });
  assert.deepEqual(await attempt.signalled("ordered"), { id: 7 });
});

test("a worker performs transactions as steps, and tells of them", async (t) => {
  const store = await bank(t);
  const told: string[] = [];
  const onEvent = (event: WorkerEvent): void => {
    if ("step" in event) told.push(`${event.event} ${event.step}`);
  };
  const transfer = workflow("transfer", async (attempt, amount: number) => {
    const { changes } = await attempt.transaction("move", (tx) => move(tx, amount));
    const sum = await attempt.transaction("sum", (tx) =>
      tx.query<[number]>("SELECT sum(balance) FROM accounts"),
    );
    return [changes, sum.rows[0]?.[0]];
  });
  const run = await store.runs.submit(transfer, 25);
  const worker = store.worker([transfer], { hooks: { onEvent }, log: "off" });
  assert.deepEqual(await store.runs.result(run), [1, 200]);
  await worker.stop();
  assert.deepEqual(told, ["step_run move", "step_done move", "step_run sum", "step_done sum"]);
  assert.deepEqual(await balances(store), [75, 125]);
});

test("another attempt that took over leaves a late transaction nothing", async (t) => {
  const { store, attempt } = await working(t);
  let other: Attempt | undefined;
  const late = async (tx: Transaction): Promise<void> => {
    move(tx, 1);
    if (other) return;
    await store.advanceClock(3_600_000);
    other = await claimed(store);
  };
  await assert.rejects(attempt.transaction("s", late), LeaseLostError);
  await assert.rejects(attempt.commit(late), LeaseLostError);
  await assert.rejects(attempt.completeIn(late), LeaseLostError);
  assert.deepEqual(await balances(store), [100, 100]);
  await other?.transaction("s", (tx) => move(tx, 2));
  await assert.rejects(attempt.transaction("s", late), LeaseLostError);
  assert.deepEqual(await balances(store), [98, 102]);
});

test("a run that is cancelled on the way keeps what its step has done", async (t) => {
  const { store, attempt } = await working(t);
  await attempt.transaction("s", async (tx) => {
    move(tx, 5);
    await store.runs.cancel(attempt.runId);
  });
  assert.deepEqual(await balances(store), [95, 105]);
  const undone = (): never => assert.fail("it began on a cancelled run");
  await assert.rejects(attempt.transaction("next", undone), { name: "SW_ERR_CANCELLED" });
  await assert.rejects(
    attempt.commit((tx) => move(tx, 5)),
    { name: "SW_ERR_CANCELLED" },
  );
  assert.deepEqual(await balances(store), [95, 105]);
});

test("an attempt commits in its own name, and ends its run in a transaction", async (t) => {
  const { store, attempt } = await working(t);
  const outcome = await attempt.perform(async (one) => {
    const { changes } = await one.commit((tx) => move(tx, 1));
    assert.equal(changes, 1);
    await one.completeIn((tx) => {
      move(tx, 2);
      return { done: 1n };
    });
  });
  assert.deepEqual(outcome, { state: "completed", result: { done: 1 } });
  assert.deepEqual((await store.runs.get(attempt.runId)).result, { done: 1 });
  assert.deepEqual(await balances(store), [97, 103]);
});

test("a step that was begun by hand is completed in a transaction, once", async (t) => {
  const { store, attempt } = await working(t);
  using step = await attempt.begin("s");
  const complete = (): Promise<Changed> => step.completeIn((tx) => move(tx, 4));
  assert.deepEqual([await complete(), await complete()], [{ changes: 1 }, { changes: 1 }]);
  assert.deepEqual(await balances(store), [96, 104]);
  await assert.rejects(
    step.completeIn((tx) => move(tx, 5)),
    ConflictError,
  );
  await attempt.release();
  using replayed = await (await claimed(store)).begin("s");
  assert.deepEqual([replayed.state, replayed.result], ["replayed", { changes: 1 }]);
});

test("what a step has used is not lost in a transaction: it is refused", async (t) => {
  const { attempt } = await working(t);
  using step = await attempt.begin("s");
  step.used({ tokens: 1 });
  await assert.rejects(
    step.completeIn(() => 1),
    /settles no usage/,
  );
});
