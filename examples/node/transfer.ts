/** A hundred transfers between ten accounts: kill it at any time, and start it again, until it says the sum. */
import { Store, type Transaction, workflow } from "smolwf";

const ACCOUNTS = 10;
const TRANSFERS = 100;

interface Transfer {
  id: number;
  from: number;
  to: number;
  amount: number;
}

/** The tables are the program's own, in the store's file: made once, however often this is begun. */
function setUp(tx: Transaction): void {
  tx.execute(`CREATE TABLE IF NOT EXISTS accounts (
    id INTEGER PRIMARY KEY, balance INTEGER NOT NULL CHECK (balance >= 0))`);
  // Nothing in it forbids to do one twice.
  tx.execute("CREATE TABLE IF NOT EXISTS transfers (id INTEGER NOT NULL, amount INTEGER NOT NULL)");
  for (let id = 0; id < ACCOUNTS; id += 1) {
    tx.execute("INSERT OR IGNORE INTO accounts VALUES (?, 1000)", [id]);
  }
}

const transfer = workflow("transfer", async (attempt, { id, from, to, amount }: Transfer) => {
  // The money and the record of the step are one commit.
  await attempt.transaction("move", (tx) => {
    const one = { expectChanges: 1 };
    tx.execute("UPDATE accounts SET balance = balance - ? WHERE id = ?", [amount, from], one);
    tx.execute("UPDATE accounts SET balance = balance + ? WHERE id = ?", [amount, to], one);
    tx.execute("INSERT INTO transfers VALUES (?, ?)", [id, amount], one);
  });
});

const [path = "transfer.db"] = process.argv.slice(2);
await using store = await Store.open(path);
await store.init();
await store.transaction(setUp);

const asked = Array.from({ length: TRANSFERS }, (_, id) => {
  const from = id % ACCOUNTS;
  return { id, from, to: (from + 1 + (id % 7)) % ACCOUNTS, amount: 1 + (id % 90) };
});
// One key is one run, however often this is begun; each kill is a try.
const runs = await store.runs.submitMany(
  asked.map((args) => {
    const idempotencyKey = `transfer ${args.id}`;
    return { workflow: transfer, args, idempotencyKey, maxTries: 1000 };
  }),
);
const worker = store.worker([transfer], { concurrency: 4, signals: true });
for (const run of runs) await store.runs.wait(run.runId);
await worker.stop();

const { rows } = await store.query<[number, number]>("SELECT count(*), sum(balance) FROM accounts");
for (const [count, sum] of rows) console.log(`accounts ${count} sum ${sum}`);
const done = await store.query<[number, number]>(
  "SELECT count(DISTINCT id), count(*) - count(DISTINCT id) FROM transfers",
);
for (const [count, twice] of done.rows) {
  console.log(`transfers ${TRANSFERS} done ${count} twice ${twice}`);
}
