/** A workflow that no crash does anything to, of all that there is to record. */
import { type Attempt, type Named, type Store, workflow } from "../../src/index.js";
import { effect } from "../../src/testing/index.js";

export async function setup(store: Store): Promise<void> {
  await store.transaction((tx) => {
    tx.execute("CREATE TABLE IF NOT EXISTS sold(cents INTEGER)");
  });
}

export const parcel: Named<string, string> = workflow("parcel", (attempt: Attempt, to) =>
  attempt.step("send", (step) => {
    effect("send", step.id);
    return `to ${to}`;
  }),
);

export const order: Named<{ cents: number }> = workflow("order", async (attempt, { cents }) => {
  await attempt.step("charge", (step) => effect("charge", step.id), { input: { cents } });
  await attempt.sleep("night", 8 * 3_600_000);
  const to = (await attempt.signalled<string>("address")) ?? "nowhere";
  const child = await attempt.child("parcel", parcel, to, { queue: "parcels" });
  const sent = await attempt.childResult<string>(child);
  const sold = await attempt.transaction("book", (tx) => {
    tx.execute("INSERT INTO sold VALUES(?)", [cents]);
    return tx.query("SELECT count(*) FROM sold");
  });
  return { sent, sold: sold.rows };
});
