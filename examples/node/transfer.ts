/**
 * Ten accounts in a table of the program's own, in the store's file, and a hundred transfers between
 * them: kill it anywhere, start it again, and no cent is lost or moved twice.
 */
import { Store, type Transaction, workflow } from "smolwf";

const ACCOUNTS = 10;
const TRANSFERS = 100;

/** Makes the tables, once however often this is begun. */
function openBank(tx: Transaction): void {
  tx.execute(`CREATE TABLE IF NOT EXISTS accounts (
    id INTEGER PRIMARY KEY, cents INTEGER NOT NULL CHECK (cents >= 0))`);
  // Nothing in it forbids to do a transfer twice.
  tx.execute(`CREATE TABLE IF NOT EXISTS moves (
    transfer INTEGER NOT NULL, cents INTEGER NOT NULL)`);
  for (let id = 0; id < ACCOUNTS; id += 1) {
    tx.execute("INSERT INTO accounts VALUES ($1, 1000) ON CONFLICT DO NOTHING", [id]);
  }
}

const transfer = workflow("transfer", async (attempt, { number }: { number: number }) => {
  const [from, to] = [number % ACCOUNTS, (number * 7 + 3) % ACCOUNTS];
  const cents = 1 + (number % 9);
  // The money and the record of the step are one commit; each account must be there.
  await attempt.transaction("move", (tx) => {
    const one = { expectChanges: 1 };
    tx.execute("UPDATE accounts SET cents = cents - $1 WHERE id = $2", [cents, from], one);
    tx.execute("UPDATE accounts SET cents = cents + $1 WHERE id = $2", [cents, to], one);
    tx.execute("INSERT INTO moves VALUES ($1, $2)", [number, cents]);
    return cents;
  });
});

/** Submits a transfer, once however often this is begun; each kill on the way is a try of its run. */
const order = (number: number) => ({
  workflow: transfer,
  args: { number },
  idempotencyKey: `transfer ${number}`,
  maxTries: 100_000,
});

async function report(store: Store): Promise<void> {
  const ask = async (sql: string): Promise<number | undefined> =>
    (await store.query<[number]>(sql)).rows[0]?.[0];
  const accounts = await ask("SELECT count(*) FROM accounts");
  console.log(`accounts ${accounts} sum ${await ask("SELECT sum(cents) FROM accounts")}`);
  const done = await store.runs.count({ state: "completed" });
  const twice = await ask("SELECT count(*) - count(DISTINCT transfer) FROM moves");
  console.log(`transfers ${TRANSFERS} done ${done} twice ${twice}`);
}

const [path = "transfer.db"] = process.argv.slice(2);
await using store = await Store.open(path);
await store.init();
await store.transaction(openBank);
const orders = Array.from({ length: TRANSFERS }, (_, number) => order(number));
const runs = await store.runs.submitMany(orders);
const worker = store.worker([transfer], { concurrency: 4, signals: true });
for (const run of runs) await store.runs.wait(run.runId);
await worker.stop();
await report(store);
