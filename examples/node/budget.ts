/** Eight members share one budget: at its limit all park, and when it is raised they go on. */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { type Attempt, type StepDocument, Store } from "smolwf";

const TEAM = 8;
const LIMIT = 100_000;
const RAISE = 10_000;
/** What one call may take more than it reserved, at most. */
const OVERSHOOT_MAX = 500;

/** The members, as the team was told. */
let ids: readonly string[] = [];

async function team(attempt: Attempt): Promise<void> {
  const members = Array.from({ length: TEAM }, () => ({ workflow: "member", queue: "members" }));
  ids = await attempt.children(members);
  await attempt.all(
    "join",
    ids.map((child) => ({ child })),
  );
}

/** Makes calls until it is cancelled. A reserve that the budget refuses parks the attempt. */
async function member(attempt: Attempt): Promise<never> {
  for (;;) {
    const kind = randomInt(2) === 0 ? "draft" : "review";
    const call = attempt.step(
      "call",
      async (step) => {
        const estimate = randomInt(200, 1001);
        await attempt.reserve({ tokens: estimate }, { step });
        const tokens = randomInt(Math.ceil(estimate / 2), Math.floor((estimate * 3) / 2) + 1);
        step.used({ tokens });
        return { tokens };
      },
      { kind },
    );
    await call;
  }
}

async function budget(
  store: Store,
  runId: string,
): Promise<{ limit: number; reserved: number; spent: number }> {
  const { tokens } = (await store.budgets.get(runId)).units;
  assert.ok(tokens);
  const [limit, reserved, spent] = [tokens.limit, tokens.reserved, tokens.spent].map(Number);
  return { limit: limit ?? 0, reserved: reserved ?? 0, spent: spent ?? 0 };
}

/** Returns how many attempts the parked members have had; undefined while one is not parked. */
async function parked(store: Store): Promise<number | undefined> {
  const runs = await Promise.all(ids.map((id) => store.runs.get(id)));
  if (runs.some((run) => run.state !== "waiting")) return undefined;
  return runs.reduce((sum, run) => sum + run.attempts, 0);
}

/** Waits until two looks in a row find all parked, and nobody claimed between; watches the limit. */
async function untilParked(store: Store, runId: string): Promise<void> {
  let before: number | undefined;
  for (;;) {
    const { limit, reserved, spent } = await budget(store, runId);
    // After the last reserve that fitted, each member may still settle above its own.
    assert.ok(
      reserved + spent <= limit + TEAM * OVERSHOOT_MAX,
      `${reserved} + ${spent} of ${limit}`,
    );
    const attempts = await parked(store);
    if (attempts !== undefined && attempts === before) return;
    before = attempts;
    await pause(20);
  }
}

async function steps(store: Store): Promise<StepDocument[]> {
  const all: StepDocument[] = [];
  for (const id of ids) {
    let cursor: string | undefined;
    do {
      const page = await store.runs.history(id, { cursor });
      all.push(...page.steps);
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
  }
  return all.filter((step) => step.name === "call" && step.state === "completed");
}

const tokensOf = (step: StepDocument): number => (step.result as { tokens: number }).tokens;
const sum = (all: readonly StepDocument[]): number =>
  all.reduce((n, step) => n + tokensOf(step), 0);

const [path = "budget.db"] = process.argv.slice(2);
await using store = await Store.open(path);
await store.init();
const { runId } = await store.runs.submit("team", null, { budget: { tokens: LIMIT } });
const root = await store.runs.claim();
assert.deepEqual(await root?.perform(team), { state: "suspended" });
console.log(`a team of ${ids.length} shares ${LIMIT} tokens`);

const stop = new AbortController();
const { signal } = stop;
const working = store.work({ member }, { queue: "members", concurrency: TEAM, signal });
await untilParked(store, runId);
console.log(`the limit was reached: ${TEAM} members are parked`);
const before = await budget(store, runId);
assert.equal(before.reserved, 0);

await store.budgets.raise(runId, "tokens", RAISE);
await untilParked(store, runId);
const after = await budget(store, runId);
assert.ok(after.spent > before.spent, "nobody went on");
console.log(`raised by ${RAISE}: work went on`);
console.log("the limit was reached again");
console.log("no reserve went above the limit");

const done = await steps(store);
assert.equal(sum(done), after.spent);
assert.equal(after.limit, LIMIT + RAISE);
console.log("spent is the sum of the ledger");
await store.runs.cancel(runId);
await Promise.all(ids.map((id) => store.runs.wait(id)));
stop.abort();
await working;

console.log(`# spent ${after.spent} of ${after.limit} in ${done.length} entries`);
for (const kind of ["draft", "review"]) {
  const own = done.filter((step) => step.kind === kind);
  console.log(`# ${kind}: ${sum(own)} tokens in ${own.length} steps`);
}
