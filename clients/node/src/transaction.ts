/** Transactions over your own tables: what they are to do is collected, and sent as one script. */
import { AsyncLocalStorage } from "node:async_hooks";
import type { SubmittedDocument } from "./documents.js";
import { TransactionError } from "./errors.js";
import { toJson } from "./json.js";
import type { Answer } from "./library.js";
import type { Integer } from "./numbers.js";
import { type SubmitOptions, scoped, snakeKeys } from "./options.js";
import {
  fromSqlJson,
  paramsText,
  type Rows,
  type SqlParams,
  type SqlValue,
  toSqlJson,
} from "./sql.js";
import { type Named, nameOf } from "./workflow.js";

/** What a statement came to: `columns`, `rows` and `more` where it has RETURNING. */
export interface Changed<Row extends readonly SqlValue[] = SqlValue[]> extends Partial<Rows<Row>> {
  /** Rows that it inserted, changed or deleted itself. */
  changes: number;
}

/** What a message that a transaction sent came to. */
export interface SentSignal {
  /** Its idempotency key had sent it before. */
  exists: boolean;
}

/** Your code: says what the transaction does, and what its result is. */
export type TransactionWork<Result> = (tx: Transaction) => Result | Promise<Result>;

/** What a transaction resolves to: of an item, what that came to. */
export type Came<Result> = Result extends TxItem<infer Of> ? Of : Result;

/** One thing that a transaction does. */
export class TxItem<Result> {
  readonly #script: Script;
  readonly #at: number;

  constructor(script: Script, at: number) {
    this.#script = script;
    this.#at = at;
  }

  /**
   * What it came to; throws until the transaction is committed. After one of a workflow there is only what a
   * replay has too: the result, which `resultFrom` says, or what your code returns.
   */
  get result(): Result {
    return this.#script.came(this.#at) as Result;
  }

  /** Its number in a script; undefined if it is of another one. */
  within(script: Script): number | undefined {
    return script === this.#script ? this.#at : undefined;
  }
}

/**
 * Collects what a transaction does: nothing is done before your code has returned, then all of it or
 * nothing. So a statement has no rows yet while you write it: say what must be so by `WHERE` and
 * `expectChanges`, and read what it came to by `item.result` afterwards.
 *
 * The result is what your code returns, or what it names by `result` or `resultFrom`; of an item, what
 * that comes to. It may hold bytes and integers of 64 bits, as rows do.
 */
export class Transaction {
  readonly #script: Script;

  constructor(script: Script) {
    this.#script = script;
  }

  /**
   * One statement on your own tables. With `expectChanges`, another number of rows that it inserts,
   * changes or deletes undoes the whole transaction, as a {@link ConflictError}.
   */
  execute<Row extends readonly SqlValue[] = SqlValue[]>(
    sql: string,
    params?: SqlParams,
    options: { expectChanges?: Integer | undefined } = {},
  ): TxItem<Changed<Row>> {
    const { expectChanges } = options;
    const expected =
      expectChanges === undefined ? "" : `,"expect_changes":${toJson(expectChanges)}`;
    return this.#script.add(`${statement("sql", sql, params)}${expected}}`);
  }

  /** One statement that only reads. */
  query<Row extends readonly SqlValue[] = SqlValue[]>(
    sql: string,
    params?: SqlParams,
  ): TxItem<Rows<Row>> {
    return this.#script.add(`${statement("query", sql, params)}}`);
  }

  /** A run: it is there if and only if the transaction commits. Keys are scoped as for `runs.submit`. */
  submit<Args, Result>(
    workflow: Named<Args, Result> | string,
    args?: Args,
    options: SubmitOptions = {},
  ): TxItem<SubmittedDocument> {
    const name = nameOf(workflow);
    const item = snakeKeys({ ...scoped(name, options), workflow: name, args });
    return this.#script.add(`{"submit":${toJson(item)}}`);
  }

  /** A message to a run; with a key it is sent once. */
  signal(
    runId: string,
    name: string,
    payload?: unknown,
    options: { idempotencyKey?: string | undefined } = {},
  ): TxItem<SentSignal> {
    const { idempotencyKey: idempotency_key } = options;
    const item = { run_id: runId, name, payload, idempotency_key };
    return this.#script.add(`{"signal":${toJson(item)}}`);
  }

  /** Names the result, where it is not what your code returns. */
  result<Result>(value: Result): Result {
    this.#script.result(value);
    return value;
  }

  /** The same: what an item comes to. */
  resultFrom<Result>(item: TxItem<Result>): TxItem<Result> {
    return this.result(item);
  }
}

function statement(kind: "sql" | "query", sql: string, params: SqlParams | undefined): string {
  if (typeof sql !== "string") throw new TypeError(`the ${kind} of a transaction is no text`);
  const given = paramsText(params);
  return `{"${kind}":${JSON.stringify(sql)}${given === undefined ? "" : `,"params":${given}`}`;
}

/** What ends with the transaction. */
type End = "step_complete" | "attempt_complete";

/** What was collected, and what it came to. */
export class Script {
  readonly #items: string[] = [];
  #state: "open" | "over" | "failed" = "open";
  #results: unknown[] | undefined;
  /** A replay has nothing but the result. */
  #isStep = false;
  #result: unknown;
  #hasResult = false;

  get isOpen(): boolean {
    return this.#state === "open";
  }

  add<Result>(item: string): TxItem<Result> {
    this.#mustBeOpen();
    this.#items.push(item);
    return new TxItem(this, this.#items.length - 1);
  }

  result(value: unknown): void {
    this.#mustBeOpen();
    if (this.#hasResult)
      throw new TransactionError("a transaction has one result, this is a second");
    this.#hasResult = true;
    this.#result = value;
  }

  /** The code has returned. */
  returned(value: unknown): void {
    const isNamed = this.#hasResult && (value === undefined || Object.is(value, this.#result));
    if (!isNamed && (this.#hasResult || value !== undefined)) this.result(value);
    if (this.#result instanceof TxItem && this.#result.within(this) === undefined) {
      throw new TransactionError("the result of a transaction is an item of another one");
    }
    this.#state = "over";
  }

  /** Nothing is done, or it was refused. */
  failed(): void {
    this.#state = "failed";
  }

  /** Returns the JSON of the script, and of the result that its end records. */
  texts(end: End | undefined): { script: string; result: string } {
    if (end === undefined) return { script: `[${this.#items.join(",")}]`, result: "" };
    const from = this.#from();
    const result = from === undefined ? (toSqlJson(this.#result) ?? "null") : "";
    const recorded = from === undefined ? `"result":${result}` : `"result_from":${from}`;
    return { script: `[${[...this.#items, `{"${end}":{${recorded}}}`].join(",")}]`, result };
  }

  /** It is committed: notes what its items came to. */
  committed(answer: string, end: End | undefined): void {
    this.#results = fromSqlJson<unknown[]>(answer);
    this.#isStep = end === "step_complete";
  }

  /** What it resolves to where nothing of it is recorded. */
  get value(): unknown {
    const from = this.#from();
    return from === undefined ? this.#result : this.came(from);
  }

  /** What it resolves to where a replay will: as it is recorded. */
  recorded(result: string): unknown {
    const from = this.#from();
    return from === undefined ? fromSqlJson(result) : this.came(from);
  }

  came(at: number): unknown {
    if (this.#results && this.#isStep && at !== this.#from()) {
      const how = "return it from the transaction, or name it by resultFrom";
      throw new TransactionError(`what this item came to is not recorded for a replay: ${how}`);
    }
    if (this.#results) return this.#results[at];
    const why = {
      open: "its code has not returned",
      over: "it is on its way",
      failed: "it failed, and nothing of it was done",
    };
    throw new TransactionError(`the transaction is not committed: ${why[this.#state]}`);
  }

  #from(): number | undefined {
    return this.#result instanceof TxItem ? this.#result.within(this) : undefined;
  }

  #mustBeOpen(): void {
    if (this.#state === "open") return;
    const late = "what its code began and did not await comes too late";
    throw new TransactionError(`the transaction is over: ${late}`);
  }
}

/** The transaction whose code runs. */
const within = new AsyncLocalStorage<Script>();

/** Refuses a transaction in the code of another one, which it would not be a part of. */
export function refuseNested(): void {
  if (!within.getStore()?.isOpen) return;
  const how = "say what it does by the tx of the outer one, or make it before";
  throw new TransactionError(`a transaction inside of another is no part of it: ${how}`);
}

/** Runs your code, and returns what it collected. */
export async function collect<Result>(work: TransactionWork<Result>): Promise<Script> {
  refuseNested();
  const script = new Script();
  try {
    script.returned(await within.run(script, () => work(new Transaction(script))));
    return script;
  } catch (thrown) {
    script.failed();
    throw thrown;
  }
}

/** Commits what was collected by `send`; resolves to what the transaction does. */
export async function commit<Result>(
  script: Script,
  end: End | undefined,
  send: (script: string) => Promise<Answer>,
): Promise<Came<Result>> {
  try {
    const { script: text, result } = script.texts(end);
    script.committed(text === "[]" ? text : ((await send(text)).text ?? "[]"), end);
    return (end ? script.recorded(result) : script.value) as Came<Result>;
  } catch (refusal) {
    script.failed();
    throw refusal;
  }
}
