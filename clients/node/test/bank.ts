/** Two accounts in a table of the host's own, and money that moves between them. */
import type { TestContext } from "node:test";
import type { Attempt, Changed, Store, StoreOptions, Transaction, TxItem } from "../src/index.js";
import { claimed, memory } from "./support.js";

export const ACCOUNTS: string =
  "CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL CHECK (balance >= 0))";
export const TAKE: string = "UPDATE accounts SET balance = balance - ? WHERE id = ?";
export const GIVE: string = "UPDATE accounts SET balance = balance + ? WHERE id = ?";

/** A bank of two accounts that have 100 each. */
export async function bank(t: TestContext, options: StoreOptions = {}): Promise<Store> {
  const store = await memory(t, options);
  await store.transaction((tx) => {
    tx.execute(ACCOUNTS);
    tx.execute("INSERT INTO accounts VALUES (1, 100), (2, 100)", undefined, { expectChanges: 2 });
  });
  return store;
}

export async function balances(store: Store): Promise<number[]> {
  const { rows } = await store.query<[number]>("SELECT balance FROM accounts ORDER BY id");
  return rows.map(([balance]) => balance);
}

/** Moves an amount from the first account to the second. */
export function move(tx: Transaction, amount: number): TxItem<Changed> {
  tx.execute(TAKE, [amount, 1], { expectChanges: 1 });
  return tx.execute(GIVE, [amount, 2], { expectChanges: 1 });
}

/** A bank with a run that was claimed. */
export async function working(t: TestContext): Promise<{ store: Store; attempt: Attempt }> {
  const store = await bank(t);
  await store.runs.submit("w", null, { maxTries: 100 });
  return { store, attempt: await claimed(store) };
}
