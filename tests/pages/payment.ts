import { Store, workflow } from "smolwf";

interface Payment {
  from: number;
  to: number;
  amount: number;
}
await using store = await Store.openInMemory();
await store.init();
// HERE
console.log(rows.length, more);
await store.transaction((tx) => tx.execute("INSERT INTO accounts VALUES(1, 30), (2, 0)"));
const { runId } = await store.runs.submit(pay, { from: 1, to: 2, amount: 20 });
await (await store.runs.claim())?.perform(pay);
const told = await store.runs.result(runId);
const left = await store.query("SELECT balance FROM accounts ORDER BY id");
if (left.rows.join() !== "10,20") throw new Error(`left ${left.rows}`);
if ((await store.runs.get(String(told))).workflow !== "tell") throw new Error(`told ${told}`);
