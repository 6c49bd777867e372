/** Recorded histories against other code: what differs is named, and what does not is no difference. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import {
  type Attempt,
  Failure,
  type Store,
  type SubmitOptions,
  type Workflow,
} from "../src/index.js";
import { replay } from "../src/testing/index.js";
import { folder, memory } from "./support.js";

type Args = { cents: number };
type Some = Workflow<Args>;
type Code = Readonly<Record<string, Some>>;

/** Steps that were run. */
let ran = 0;

const part: Some = (attempt) => attempt.step("pack", () => `packed ${++ran}`);

/** The run that most of these are about, with what may be changed of it. */
const changes = {
  charge: (attempt: Attempt, { cents }: Args): Promise<number> =>
    attempt.step("charge", () => cents + 0 * ++ran, { input: { cents } }),
  address: (attempt: Attempt): Promise<unknown> => attempt.signalled("address"),
  ship: (attempt: Attempt): Promise<unknown> => attempt.step("ship", () => ++ran),
  end: (result: unknown): unknown => result,
};

function ordering(changed: Partial<typeof changes> = {}): Code {
  const parts = { ...changes, ...changed };
  const order: Some = async (attempt, args) => {
    const paid = await parts.charge(attempt, args);
    await attempt.sleep("night", 1000);
    const to = await parts.address(attempt);
    const packed = await attempt.childResult(await attempt.child("part", "part", args));
    await parts.ship(attempt);
    return parts.end({ paid, to, packed });
  };
  return { order, part };
}

interface Recording extends SubmitOptions {
  signals?: readonly string[];
  /** The clock stands: what backs off or sleeps is left so. */
  stands?: boolean;
  /** What is done to the run in the end. */
  last?: (store: Store, runId: string) => Promise<void>;
}

/** The export of a run that this code made. */
async function recorded(t: TestContext, code: Code, recording: Recording = {}): Promise<string> {
  const { signals = ["Ada"], stands = false, last, ...options } = recording;
  const store = await memory(t);
  const { runId } = await store.runs.submit("order", { cents: 5 }, { maxTries: 1, ...options });
  for (const each of signals) await store.signals.send(runId, "address", each);
  do {
    const claim = (): Promise<Attempt | undefined> => store.runs.claim();
    for (let attempt = await claim(); attempt; attempt = await claim()) {
      await attempt.perform(code[attempt.workflow] as Some, { log: "off" });
    }
  } while (!stands && (await store.advanceClock(null)));
  await last?.(store, runId);
  return store.runs.export(runId);
}

/** The differences, each as a line of kind, name and text. */
async function differences(exported: string, code: Code): Promise<string[]> {
  const report = await replay(exported, code);
  const found = report.differences.map(({ kind, name, text }) => `${kind} ${name}: ${text}`);
  if (found.length > 0) assert.throws(() => report.check(), { message: String(report) });
  else report.check();
  return found;
}

test("the code that made a history has no difference, and no step is run", async (t) => {
  const text = await recorded(t, ordering());
  const before = ran;
  const report = await replay(text, ordering());
  report.check();
  assert.equal(ran, before);
  assert.deepEqual(JSON.parse(JSON.stringify(report)), { runs: 2, differences: [] });
  assert.equal(String(report), "2 runs, no differences");
});

test("of a tree what is asked for is replayed, and the document may be a file or JSON", async (t) => {
  const text = await recorded(t, ordering());
  assert.equal((await replay(text, { part })).runs, 1);
  const path = join(folder(t), "order.json");
  writeFileSync(path, text);
  const parsed = JSON.parse(text) as { readonly [key: string]: unknown };
  for (const exported of [path, pathToFileURL(path), parsed]) {
    assert.equal(String(await replay(exported, ordering())), "2 runs, no differences");
  }
  const nothing = /^no run of the document is of these workflows and has recorded anything$/;
  await assert.rejects(replay(text, { other: part }), { message: nothing });
});

/** What is changed, and what is found of it. */
const CHANGED: Readonly<
  Record<string, readonly [changed: Partial<typeof changes>, found: RegExp]>
> = {
  "a renamed step": [
    { charge: (attempt, { cents }) => attempt.step("charge_card", () => cents) },
    /^not_recorded charge_card: step "charge_card" occurrence 1 is begun, .* only replays$/,
  ],
  "a refusal that is swallowed": [
    { charge: (attempt) => attempt.step("charge_card", () => 5).catch(() => 5) },
    /^not_recorded charge_card: /,
  ],
  "a step that is begun once more": [
    { ship: async (attempt) => [await changes.ship(attempt), await changes.ship(attempt)] },
    /^not_recorded ship: step "ship" occurrence 2 is begun, /,
  ],
  "a step that is left out": [
    { ship: async () => null },
    /^not_replayed ship: step "ship" occurrence 1 is recorded, /,
  ],
  "an await that is left out": [
    { address: async () => "Ada" },
    /^not_replayed address: await "address" occurrence 1 is recorded, /,
  ],
  "an await of another kind": [
    { address: (attempt) => attempt.any("address", [{ signal: "address" }]) },
    /^not_replayed address: await "address" occurrence 1 was recorded as /,
  ],
  "another input": [
    {
      charge: (attempt, { cents }) => attempt.step("charge", () => cents, { input: { euros: 5 } }),
    },
    /^input_changed charge: step "charge" was recorded with input hash \w+, /,
  ],
  "another result": [
    { end: () => ({ paid: 6 }) },
    /^outcome order: the run completed with \{"paid":5,.*\}, and its replay with \{"paid":6\}$/,
  ],
  "an error": [
    {
      end: () => {
        throw new Error("no tax");
      },
    },
    /^outcome order: the run completed, and its replay fails: no tax$/,
  ],
  "a signal under another name": [
    { address: (attempt) => attempt.signalled("street") },
    /^waits signal street: the run ended, and its replay waits for signal street$/,
  ],
  "a child more": [
    { ship: (attempt) => changes.ship(attempt).then(() => attempt.child("gift", "part")) },
    /^not_recorded gift: child "gift" is submitted, and history has none of it$/,
  ],
};

for (const [what, [changed, found]] of Object.entries(CHANGED)) {
  test(`${what} is named`, async (t) => {
    const text = await recorded(t, ordering());
    const lines = await differences(text, ordering(changed));
    assert.equal(lines.length, 1, `${lines}`);
    assert.match(`${lines}`, found);
  });
}

test("each run of a tree is looked at, and has its first difference", async (t) => {
  const text = await recorded(t, ordering());
  const wrap: Some = (attempt) => attempt.step("wrap", () => "wrapped");
  const { order } = ordering({ ship: async () => null }) as { order: Some };
  const { differences: found, runs } = await replay(text, { order, part: wrap });
  const { runs: carried } = JSON.parse(text) as { runs: { run_id: string }[] };
  const ids = carried.map((run) => run.run_id);
  const seen = found.map((one) => [one.run_id, one.workflow, one.kind, one.name]);
  const expected = [
    [ids[0], "order", "not_replayed", "ship"],
    [ids[1], "part", "not_recorded", "wrap"],
  ];
  assert.deepEqual([runs, seen], [2, expected]);
});

const fails = { end: () => assert.fail("no tax") };

test("a run that failed by its own code has to fail, by whatever", async (t) => {
  const text = await recorded(t, ordering(fails));
  assert.deepEqual(await differences(text, ordering(fails)), []);
  const completes = "outcome order: the run failed, and its replay completes";
  assert.deepEqual(await differences(text, ordering()), [completes]);
});

test("a run that waits may go on with whatever is new", async (t) => {
  const text = await recorded(t, ordering(), { signals: [] });
  assert.deepEqual(await differences(text, ordering()), []);
  const other = { address: (attempt: Attempt) => attempt.step("ask", () => "Ada") };
  assert.deepEqual(await differences(text, ordering(other)), []);
  const swallowed = {
    address: (attempt: Attempt) => attempt.step("ask", () => "Ada").catch(() => 1),
  };
  assert.deepEqual(await differences(text, ordering(swallowed)), []);
  const sideBySide = {
    charge: async (attempt: Attempt, args: Args) =>
      (await Promise.all([attempt.step("log", () => 1), changes.charge(attempt, args)]))[1],
  };
  const unasked = /^not_replayed night: sleep "night" occurrence 1 is recorded, /;
  assert.match(`${await differences(text, ordering(sideBySide))}`, unasked);
});

test("a run that waits has to have asked for what is recorded by then", async (t) => {
  const text = await recorded(t, ordering(), { signals: [] });
  const renamed = { charge: (attempt: Attempt) => attempt.step("charge_card", () => 5) };
  const unasked = /^not_replayed charge: step "charge" occurrence 1 is recorded, /;
  assert.match(`${await differences(text, ordering(renamed))}`, unasked);
  const removed = { charge: async () => 5 };
  assert.match(`${await differences(text, ordering(removed))}`, unasked);
  const input = {
    charge: (attempt: Attempt) => attempt.step("charge", () => 5, { input: "other" }),
  };
  assert.match(`${await differences(text, ordering(input))}`, /^input_changed charge: /);
  const thrown = {
    address: () => {
      throw new Failure({ message: "no post" }, { terminal: true });
    },
  };
  const open = ["outcome order: the run is open, and its replay fails: no post"];
  assert.deepEqual(await differences(text, ordering(thrown)), open);
});

test("whenever a history is taken, the code that makes it has no difference", async (t) => {
  const store = await memory(t);
  const histories: string[] = [];
  const take = async (attempt: Attempt): Promise<void> => {
    histories.push(await store.runs.export(attempt.rootRunId));
  };
  const code = ordering({
    charge: async (attempt, args) => {
      const came = await changes.charge(attempt, args);
      await take(attempt);
      return came;
    },
    address: async (attempt) => {
      await take(attempt);
      const came = await changes.address(attempt);
      await take(attempt);
      return came;
    },
    ship: async (attempt) => {
      await take(attempt);
      const came = await changes.ship(attempt);
      await take(attempt);
      return came;
    },
  });
  const { runId } = await store.runs.submit("order", { cents: 5 });
  await store.signals.send(runId, "address", "Ada");
  do {
    for (let one = await store.runs.claim(); one; one = await store.runs.claim()) {
      await one.perform(code[one.workflow] as Some);
      histories.push(await store.runs.export(runId));
    }
  } while (await store.advanceClock(null));
  assert.ok(histories.length > 10, `${histories.length} histories`);
  for (const history of histories) assert.deepEqual(await differences(history, ordering()), []);
});

test("a run that was cancelled or timed out has a history, and no end of its own", async (t) => {
  const cancel = (store: Store, runId: string): Promise<void> => store.runs.cancel(runId);
  const cancelled = await recorded(t, ordering(), { signals: [], last: cancel });
  assert.deepEqual(await differences(cancelled, ordering()), []);
  const timedOut = await recorded(t, ordering(), { signals: [], timeoutMs: 5_000 });
  assert.deepEqual(await differences(timedOut, ordering()), []);
  const removed = ordering({ charge: async () => 5 });
  assert.match(`${await differences(timedOut, removed)}`, /^not_replayed charge: /);
});

test("a failure that is recorded of a step replays, and one that is tried again is no record", async (t) => {
  const no = {
    charge: (attempt: Attempt) => attempt.step("charge", () => assert.fail("no money")),
  };
  const failed = await recorded(t, ordering(no));
  assert.deepEqual(await differences(failed, ordering()), []);
  const backsOff = await recorded(t, ordering(no), { stands: true });
  assert.match(backsOff, /"retry_at_ms"/);
  assert.deepEqual(await differences(backsOff, ordering(no)), []);
});

test("what was spent of a budget is no difference", async (t) => {
  const spends = {
    charge: (attempt: Attempt, { cents }: Args) =>
      attempt.step("charge", async (step) => {
        await attempt.reserve({ cents }, { step });
        step.used({ cents });
        return cents;
      }),
  };
  const text = await recorded(t, ordering(spends), { budget: { cents: 5 } });
  assert.deepEqual(await differences(text, ordering(spends)), []);
});
