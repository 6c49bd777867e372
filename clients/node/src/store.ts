import { Budgets } from "./budget.js";
import type {
  CheckDocument,
  CompactDocument,
  GraduateDocument,
  MigrationDocument,
  OwnerDocument,
  PruneDocument,
  RetentionDocument,
  StatsDocument,
} from "./documents.js";
import { Events } from "./event.js";
import { Handle } from "./handle.js";
import { toJson } from "./json.js";
import { type Answer, type Library, library } from "./library.js";
import { filterText, type RunFilter } from "./list.js";
import type { Integer } from "./numbers.js";
import { type StoreOptions, snakeKeys, storeFields } from "./options.js";
import { Queues } from "./queue.js";
import { policyText, type RetentionPolicy } from "./retention.js";
import { Runs } from "./run.js";
import { Schedules } from "./schedule.js";
import { Signals } from "./signal.js";
import {
  fromSqlJson,
  paramsText,
  type QueryOptions,
  type Rows,
  type SqlParams,
  type SqlValue,
} from "./sql.js";
import { withStop } from "./stop.js";
import { document } from "./topic.js";
import { type Came, collect, commit, type TransactionWork } from "./transaction.js";
import { Changes } from "./watch.js";
import { Worker, type WorkOptions } from "./worker.js";
import type { Workflows } from "./workflow.js";

/** SW_FOREVER */
const FOREVER = -1;
/** The library's lease when none is asked for, in milliseconds. */
const LEASE_MS = 30_000;

/** An open store: one file, or memory. */
export class Store implements AsyncDisposable {
  /** The handle for calls of the library. */
  readonly handle: Handle;
  /** Submit, find, claim, look at and act on runs. */
  readonly runs: Runs;
  /** Send messages to runs. */
  readonly signals: Signals;
  /** Limits and pauses of queues. */
  readonly queues: Queues;
  /** Runs that submit themselves. */
  readonly schedules: Schedules;
  /** What trees of runs may spend, and have spent. */
  readonly budgets: Budgets;
  /** The append-only log. */
  readonly events: Events;
  readonly #library: Library;
  readonly #changes: Changes;
  #closing: Promise<void> | undefined;

  private constructor(own: Library, pointer: bigint, options: StoreOptions) {
    this.#library = own;
    // A store that is forgotten stays open: closing it waits, and nothing may wait here.
    this.handle = new Handle("store", pointer, () => undefined);
    this.#changes = new Changes(own, this.handle);
    const leaseMs = options.leaseDefaultMs || LEASE_MS;
    this.runs = new Runs(own, this.handle, this.#changes, leaseMs);
    this.signals = new Signals(own, this.handle);
    this.queues = new Queues(own, this.handle);
    this.schedules = new Schedules(own, this.handle);
    this.budgets = new Budgets(own, this.handle);
    this.events = new Events(own, this.handle, this.#changes);
  }

  /**
   * Opens a store, and creates it unless told not to: a file by its path, or a server's by its URL,
   * `postgresql://...`, where the library was built for it. Call `init` before anything else.
   */
  static async open(path: string, options: StoreOptions = {}): Promise<Store> {
    const own = library();
    const fields = storeFields(own, options);
    const { pointer } = await own.callLater("sw_store_open", path, fields);
    return new Store(own, pointer ?? 0n, options);
  }

  /** Opens a store that is gone when it is closed. */
  static async openInMemory(options: StoreOptions = {}): Promise<Store> {
    const own = library();
    const fields = storeFields(own, options);
    const { pointer } = await own.callLater("sw_store_open_in_memory", fields);
    return new Store(own, pointer ?? 0n, options);
  }

  /** Migrates to the newest schema; resolves to how many migrations were applied now. */
  async init(): Promise<number> {
    return Number((await this.#later("sw_store_init")).integers[0]);
  }

  /** Migrates up to a version; there is no way down. */
  async migrate(target: Integer): Promise<number> {
    return Number((await this.#later("sw_store_migrate", target)).integers[0]);
  }

  /** The schema's version in the file, and the newest that the library knows. */
  async schemaVersion(): Promise<{ current: Integer; newest: Integer }> {
    const [current = 0, newest = 0] = (await this.#later("sw_store_schema_version")).integers;
    return { current, newest };
  }

  /** What was applied to the file, oldest first. */
  async migrations(): Promise<MigrationDocument[]> {
    return document(await this.#later("sw_store_migrations"));
  }

  /** The path of the file, or the URL of a server without a password in it; null in memory. */
  get path(): string | null {
    return this.#library.ask("sw_store_path", this.handle) as string | null;
  }

  /** The store's clock: Unix milliseconds. */
  get nowMs(): number {
    return this.#library.ask("sw_store_now_ms", this.handle) as number;
  }

  /**
   * Has this process die by SIGKILL at its `commit`-th commit from now on, before or after it; 0 has it
   * live. For tests of what a workflow does then; `smolwf/testing` uses it.
   */
  async killAt(commit: Integer, { after = false }: { after?: boolean } = {}): Promise<void> {
    const when = after ? "SW_KILL_AFTER_COMMIT" : "SW_KILL_BEFORE_COMMIT";
    await this.#later("sw_store_kill_at", commit, this.#library.constant(when));
  }

  /**
   * Moves a manual clock; null moves it to the next moment at which something comes due. Resolves to
   * whether it has, or may have: not when nothing will come due.
   */
  async advanceClock(ms: Integer | null): Promise<boolean> {
    return (await this.#later("sw_store_advance_clock", ms ?? FOREVER)).code === "SW_OK";
  }

  /**
   * Starts a worker that claims and performs runs of these workflows, until it is stopped or the store
   * is closed. `worker.done` rejects if the store cannot go on.
   */
  worker(workflows: Workflows, options: WorkOptions = {}): Worker {
    return new Worker(this.runs, workflows, options);
  }

  /** The same, resolved when the worker has ended: `store.worker(...).done`. */
  work(workflows: Workflows, options: WorkOptions = {}): Promise<void> {
    return this.worker(workflows, options).done;
  }

  /** Waits until the store's count of changes is not `seen`; resolves to the count now. */
  async changed(
    seen: Integer,
    options: { timeoutMs?: number; signal?: AbortSignal } = {},
  ): Promise<Integer> {
    const { timeoutMs = -1, signal } = options;
    let now = seen;
    await withStop(this.#library, signal, (stop) => {
      const look = async (): Promise<true | undefined> => {
        const [count = seen] = (await this.#later("sw_store_wait", seen, 0, stop)).integers;
        now = count;
        return now === seen ? undefined : true;
      };
      return this.#changes.until(look, timeoutMs, signal);
    });
    return now;
  }

  /**
   * How the store stands: counts, queues, limits that are reached, who claims from it, its file. It
   * costs the same in a store of any size.
   */
  async stats(): Promise<StatsDocument> {
    return document(await this.#later("sw_store_stats"));
  }

  /** Who claims from the store, the oldest first. */
  async owners(): Promise<OwnerDocument[]> {
    return document(await this.#later("sw_owner_list"));
  }

  /** Looks the whole file over. */
  async check(): Promise<CheckDocument> {
    return document(await this.#later("sw_store_check"));
  }

  /**
   * Removes runs that have ended, with all that is stored of them, at most `limit` (1000, up to
   * 100,000). The filter is asked of topmost runs: trees go whole, and only when all in them has
   * ended; the oldest first. Repeat it while there is `more`. With `dryRun` it says what would go.
   */
  async prune(filter: RunFilter = {}, options: { limit?: number } = {}): Promise<PruneDocument> {
    const inputs = [filterText(filter), options.limit];
    return document(await this.#later("sw_store_prune", ...inputs));
  }

  /**
   * Sets which ended runs go by themselves, for every process, until it is set again: it is replaced
   * whole, and `{}` ends it. What is due is removed by claims and waits, part by part; a store that
   * nobody claims from or waits in keeps all.
   */
  async setRetention(policy: RetentionPolicy): Promise<void> {
    await this.#later("sw_retention_set", policyText(policy));
  }

  /** The policy that holds, with the members that were given; empty where there is none. */
  async retention(): Promise<RetentionDocument> {
    return document(await this.#later("sw_retention_get"));
  }

  /**
   * Gives pages of the file that hold nothing back to the file system, at most `pagesMax` (1024, up to
   * 1,000,000); again while some were freed. They would be used again: this is for a file out of which
   * very much has gone. Others write in between.
   */
  async compact(options: { pagesMax?: number } = {}): Promise<CompactDocument> {
    return document(await this.#later("sw_store_compact", options.pagesMax));
  }

  /**
   * Copies the store to a new file, as it is at one moment, while others write. The copy is a store of its
   * own, whose running attempts are lost ones; its name is there once it is whole.
   */
  async backup(path: string): Promise<void> {
    await this.#later("sw_store_backup", path);
  }

  /**
   * Moves this store into another one, which is initialised and empty, with runs in flight: from a file to
   * a server, back, or between two of a kind. One commit decides. Before it this store is in force, and
   * writes are told SW_ERR_BUSY while it is copied; after it every call here is SW_ERR_MOVED, and the runs
   * go on there where they stood. A call that is cut off is made again, and goes on. With `forMs` it
   * resolves after about so long, its `state` not yet "moved". `abort` takes back what is not decided; `to`
   * may be null then.
   */
  async graduate(
    to: Store | null,
    options: { abort?: boolean; forMs?: number } = {},
  ): Promise<GraduateDocument> {
    const chosen = toJson(snakeKeys(options));
    return document(await this.#later("sw_store_graduate", to?.handle ?? null, chosen));
  }

  /**
   * Asks one statement that only reads, of your own tables or of the library's. Where there are `more`
   * rows than it answers, ask on from the last key:
   *
   *     const { rows } = await store.query<[number, string]>("SELECT id, name FROM users WHERE id > ?", [9]);
   */
  async query<Row extends readonly SqlValue[] = SqlValue[]>(
    sql: string,
    params?: SqlParams,
    options?: QueryOptions,
  ): Promise<Rows<Row>> {
    const fields = options && toJson(snakeKeys(options));
    const { text = "null" } = await this.#later("sw_query", sql, paramsText(params), fields);
    return fromSqlJson(text);
  }

  /**
   * Changes tables of your own, in the store's file, in one transaction: `work` says by `tx` what is to
   * be done, and when it has returned all of it is, or nothing. Resolves to what `work` returns; of an
   * item to what that came to. In a workflow use {@link Attempt.transaction}, which is done once.
   */
  async transaction<Result>(work: TransactionWork<Result>): Promise<Came<Result>> {
    const send = (script: string): Promise<Answer> =>
      this.#later("sw_tx_run", undefined, undefined, script);
    return commit<Result>(await collect(work), undefined, send);
  }

  /** Ends all waits and refuses later calls; closes when the calls under way have returned. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const idle = this.handle.close();
    await this.#changes.close();
    const pointer = await idle;
    this.#library.release("sw_store_shutdown", pointer);
    await this.#library.releaseLater("sw_store_close", pointer);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #later(name: string, ...inputs: readonly unknown[]): Promise<Answer> {
    return this.#library.callLater(name, this.handle, ...inputs);
  }
}
