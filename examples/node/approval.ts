/** A purchase that sleeps an hour and then waits for somebody's yes, three days at most. */
import assert from "node:assert/strict";
import { type Attempt, Store } from "smolwf";

const HOUR_MS = 3_600_000;
const THREE_DAYS_MS = 72 * HOUR_MS;

async function purchase(
  attempt: Attempt,
): Promise<{ approved_by: string | null; order: number | null }> {
  await attempt.sleep("cool-off", HOUR_MS);
  const timeoutMs = THREE_DAYS_MS;
  const approval = await attempt.signalled<{ by: string }>("approval", { timeoutMs });
  if (!approval) {
    console.log("nobody answered");
    return { approved_by: null, order: null };
  }
  const { order } = await attempt.step("order", () => {
    console.log("ordered");
    return { order: 1 };
  });
  return { approved_by: approval.by, order };
}

/** Works on what is ready, once. */
async function work(store: Store): Promise<string> {
  const attempt = await store.runs.claim({ workflows: ["purchase"] });
  assert.ok(attempt, "nothing is ready");
  return (await attempt.perform(purchase)).state;
}

async function tell(store: Store, answer: (runId: string) => Promise<void>): Promise<void> {
  const { runId } = await store.runs.submit("purchase", { amount: 1200 });
  console.log("submitted a purchase of 1200");
  assert.equal(await work(store), "suspended");
  console.log("parked: sleeping an hour");
  await store.advanceClock(HOUR_MS);
  console.log("an hour later");
  assert.equal(await work(store), "suspended");
  console.log("parked: waiting for approval, three days at most");
  await answer(runId);
  assert.equal(await work(store), "completed");
  console.log(`result: ${JSON.stringify((await store.runs.get(runId)).result)}`);
}

const [path = "approval.db"] = process.argv.slice(2);
// The clock stands still until it is advanced, so that three days pass in a moment.
await using store = await Store.open(path, { manualClock: true });
await store.init();
await tell(store, async (runId) => {
  await store.signals.send(runId, "approval", { by: "ada" });
  console.log("ada approves");
});
await tell(store, async () => {
  await store.advanceClock(THREE_DAYS_MS);
  console.log("three days later");
});
