import { Attempt } from "./attempt.js";
import type {
  ActDocument,
  ExplainDocument,
  HistoryDocument,
  ImportDocument,
  RunDocument,
  RunItem,
  RunPage,
  SubmittedDocument,
} from "./documents.js";
import { RecordedFailure } from "./errors.js";
import type { Handle } from "./handle.js";
import { Hearing } from "./hearing.js";
import { fromJson, type Json, toJson } from "./json.js";
import type { Answer, Library } from "./library.js";
import { type Action, filterText, type RunFilter } from "./list.js";
import type { Integer } from "./numbers.js";
import {
  type ClaimOptions,
  claimFields,
  type SubmitOptions,
  scoped,
  snakeKeys,
  submitFields,
} from "./options.js";
import { withStop } from "./stop.js";
import { document } from "./topic.js";
import type { Changes } from "./watch.js";
import { type Named, nameOf } from "./workflow.js";

/** A submitted run; `exists` when its idempotency key had made it before. */
export interface Submitted<Result = Json> {
  /** The run's id, `run_` and a ULID. */
  runId: string;
  /** Whether an earlier submit with the key had made it. */
  exists: boolean;
  /** Never there: what its workflow results in, for {@link Runs.result}. */
  readonly result?: Result;
}

/** One run of `runs.submitMany`. */
export interface SubmitItem extends SubmitOptions {
  /** Its workflow, or the name of that. */
  workflow: string | Named;
  /** Its arguments; absent is null. */
  args?: unknown;
}

/** Whose key it is: of a workflow, as submitted by default, or of a scope that was named. */
export type KeyOf = { workflow: string | Named } | { scope: string };

/** Which page of a list. */
export interface PageOptions {
  /** The `next` of the page before; the first page if absent. */
  cursor?: string | undefined;
  /** Entries at most; the library's default if absent. */
  limit?: number;
}

/** A third of the lease: two heartbeats may be late. */
const BEATS_A_LEASE = 3;

/** What is done with runs: `store.runs`. */
export class Runs {
  readonly #library: Library;
  readonly #store: Handle;
  readonly #changes: Changes;
  readonly #hearing: Hearing;
  readonly #leaseMs: number;

  constructor(library: Library, store: Handle, changes: Changes, leaseMs: number) {
    this.#library = library;
    this.#store = store;
    this.#changes = changes;
    this.#hearing = new Hearing(changes);
    this.#leaseMs = leaseMs;
  }

  /** Aborted when the store is closed. */
  get closed(): AbortSignal {
    return this.#changes.closed;
  }

  /**
   * Submits a run. One idempotency key makes one run of a workflow: the key's scope is the workflow's
   * name unless `idempotencyScope` says otherwise ("" is shared by all).
   */
  submit<Args, Result>(
    workflow: Named<Args, Result>,
    args: Args,
    options?: SubmitOptions,
  ): Promise<Submitted<Result>>;
  submit<Result = Json>(
    workflow: string,
    args?: unknown,
    options?: SubmitOptions,
  ): Promise<Submitted<Result>>;
  async submit(
    workflow: string | Named,
    args?: unknown,
    options: SubmitOptions = {},
  ): Promise<Submitted> {
    const name = nameOf(workflow);
    const fields = submitFields(this.#library, scoped(name, options));
    const answer = await this.#later("sw_run_submit", name, toJson(args), fields);
    return { runId: answer.text ?? "", exists: answer.code === "SW_EXISTS" };
  }

  /** Submits many in one commit, all or none. Keys are scoped as for `submit`. */
  async submitMany(items: readonly SubmitItem[]): Promise<Submitted[]> {
    const named = items.map((item) => {
      const workflow = nameOf(item.workflow);
      return snakeKeys({ ...scoped(workflow, item), workflow });
    });
    const answer = await this.#later("sw_run_submit_many", toJson(named));
    const made = fromJson<SubmittedDocument[]>(answer.text ?? "[]");
    return made.map((one) => ({ runId: one.run_id, exists: one.exists }));
  }

  /** Claims a run; undefined when none is ready in time. Waits without holding a thread. */
  async claim(options: ClaimOptions = {}): Promise<Attempt | undefined> {
    const { signal, waitMs = 0 } = options;
    const look = async (stop: Handle | undefined): Promise<Attempt | undefined> => {
      const fields = { ...claimFields(this.#library, options), stop };
      const answer = await this.#later("sw_run_claim", options.queue, fields);
      const attempt = answer.pointer && this.#attempt(answer.pointer, options);
      return attempt ? (await this.#unlessAborted([attempt], signal))[0] : undefined;
    };
    return withStop(this.#library, signal, (stop) =>
      this.#changes.until(() => look(stop), waitMs, signal),
    );
  }

  /** Claims up to `max` runs in one commit; none when none is ready in time. */
  async claimMany(max: number, options: ClaimOptions = {}): Promise<Attempt[]> {
    return this.claimFirst([options], max, options);
  }

  /** The same for the first of several claims that finds something; they wait together. */
  async claimFirst(
    claims: readonly ClaimOptions[],
    max: number,
    { signal, waitMs = 0 }: Pick<ClaimOptions, "signal" | "waitMs">,
  ): Promise<Attempt[]> {
    const look = async (stop: Handle | undefined): Promise<Attempt[] | undefined> => {
      for (const options of claims) {
        const fields = { ...claimFields(this.#library, options), stop };
        const answer = await this.#later("sw_run_claim_many", options.queue, fields, max);
        const attempts = answer.pointers.map((one) => this.#attempt(one, options));
        if (attempts.length > 0) return this.#unlessAborted(attempts, signal);
      }
      return undefined;
    };
    const found = await withStop(this.#library, signal, (stop) =>
      this.#changes.until(() => look(stop), waitMs, signal),
    );
    return found ?? [];
  }

  /** Waits until a run has ended; undefined when it has not in time. */
  async wait<Result = Json>(
    runId: string,
    options: { timeoutMs?: number; signal?: AbortSignal } = {},
  ): Promise<RunDocument<Result> | undefined> {
    const { signal, timeoutMs = -1 } = options;
    return withStop(this.#library, signal, (stop) =>
      this.#changes.until(
        async () => {
          const answer = await this.#later("sw_run_wait", runId, 0, stop);
          return answer.text === undefined ? undefined : fromJson(answer.text);
        },
        timeoutMs,
        signal,
      ),
    );
  }

  /** Waits until a run has ended and resolves to its result; throws its failure or cancel. */
  async result<Result = Json>(
    run: Submitted<Result> | string,
    options: { signal?: AbortSignal } = {},
  ): Promise<Result> {
    const runId = typeof run === "string" ? run : run.runId;
    const ended = await this.wait<Result>(runId, options);
    if (ended?.state === "completed") return ended.result as Result;
    throw new RecordedFailure(`run ${runId}`, ended?.error ?? null);
  }

  /** Returns the id of the run that a key made: of a workflow, or of the scope that was named. */
  async find(key: string, of: KeyOf): Promise<string | undefined> {
    const scope = "scope" in of ? of.scope : nameOf(of.workflow);
    return (await this.#later("sw_run_find", scope || undefined, key)).text;
  }

  /** Cancels a run and its children; a running attempt learns of it. */
  async cancel(runId: string, reason?: Json): Promise<void> {
    await this.#later("sw_run_cancel", runId, toJson(reason));
  }

  /** Keeps a run from being claimed; one that runs pauses when its attempt ends unfinished. */
  async pause(runId: string): Promise<void> {
    await this.#later("sw_run_pause", runId);
  }

  /** Lets a paused run be claimed again. */
  async resume(runId: string): Promise<void> {
    await this.#later("sw_run_resume", runId);
  }

  /** Makes a failed or cancelled run pending again; recorded results stay. */
  async retry(runId: string): Promise<void> {
    await this.#later("sw_run_retry", runId);
  }

  /**
   * Submits a copy that has what was recorded before a step, or, with "", all of it; resolves to its
   * id.
   */
  async fork(runId: string, fromStep?: string): Promise<string> {
    return (await this.#later("sw_run_fork", runId, fromStep)).text ?? "";
  }

  /**
   * A topmost run with all runs below it as JSON, as they stand: `import` of another store has them go on
   * there. Nothing is changed here. Keep the text as it is. With `redact` lengths and hashes stand in the
   * place of payloads and keys: that is for reports of bugs, and cannot be imported.
   */
  async export(runId: string, options: { redact?: boolean } = {}): Promise<string> {
    return (await this.#later("sw_run_export", runId, toJson(options))).text ?? "";
  }

  /**
   * Brings the runs of `export` into this store, all or none; they go on where they stood. With `ids`
   * `"new"` they get new ids, for a second copy. What the document says of work that was done is
   * believed: import what you trust.
   */
  async import(exported: string, options: { ids?: "keep" | "new" } = {}): Promise<ImportDocument> {
    return document(await this.#later("sw_run_import", exported, toJson(options)));
  }

  /** A run as it stands: its state, arguments, result or error. */
  async get<Result = Json>(runId: string): Promise<RunDocument<Result>> {
    return document(await this.#later("sw_run_get", runId));
  }

  /** A page of a run's history; `next` is the cursor of the one after. */
  async history(runId: string, page: PageOptions = {}): Promise<HistoryDocument> {
    return document(await this.#later("sw_run_history", runId, page.cursor, page.limit));
  }

  /**
   * All runs that a filter lets through, read page by page while they are iterated. They come without
   * their payloads, unless `include` names them.
   */
  async *list(filter: RunFilter = {}): AsyncGenerator<RunItem, void, undefined> {
    const text = filterText(filter);
    let cursor: string | undefined;
    do {
      const page: RunPage = await this.#page(text, { cursor });
      yield* page.items;
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
  }

  /**
   * A page of them, of at most `limit`, 100 by default. `next` is the cursor of the one after: it goes
   * with its filter, with another one it is an `InvalidError`. A page may be short, and even empty,
   * though others follow.
   */
  async listPage(filter: RunFilter = {}, page: PageOptions = {}): Promise<RunPage> {
    return this.#page(filterText(filter), page);
  }

  async #page(filter: string | undefined, page: PageOptions): Promise<RunPage> {
    return document(await this.#later("sw_run_list", filter, page.cursor, page.limit));
  }

  /** Counts the runs that a filter lets through, and stops at `atMost`, 10,000 by default. */
  async count(filter: RunFilter = {}, atMost: Integer = 0): Promise<number> {
    return Number((await this.#later("sw_run_count", filterText(filter), atMost)).integers[0]);
  }

  /**
   * Changes the metadata of a run, also of one that has ended: members of the patch are set, objects
   * among them member by member, and null removes one (RFC 7396). At most 64 KiB after it.
   */
  async annotate(runId: string, patch: { readonly [key: string]: Json }): Promise<void> {
    await this.#later("sw_run_annotate", runId, toJson(patch));
  }

  /**
   * Acts on the runs that a filter lets through, at most `limit` (100), in one commit, all or none.
   * Without `state` it takes those that the action is for, so that calls repeated while there are
   * `more` come to an end; with `state`, those that it refuses match again: stop when none was `done`.
   * With `dryRun` it says what it would do.
   */
  async actMany(
    action: Action,
    filter: RunFilter,
    options: { limit?: number } = {},
  ): Promise<ActDocument> {
    const inputs = [action, filterText(filter), options.limit];
    return document(await this.#later("sw_run_act_many", ...inputs));
  }

  /** Says why a run does not go on, or what it does: the most telling reason first. */
  async explain(runId: string): Promise<ExplainDocument> {
    return document(await this.#later("sw_run_explain", runId));
  }

  #attempt(pointer: bigint, { leaseMs }: ClaimOptions): Attempt {
    const lengthMs = typeof leaseMs === "number" && leaseMs > 0 ? leaseMs : this.#leaseMs;
    const heartbeatMs = leaseMs === "while-alive" ? 0 : Math.ceil(lengthMs / BEATS_A_LEASE);
    const of = { store: this.#store, hearing: this.#hearing, heartbeatMs };
    return new Attempt(this.#library, pointer, of);
  }

  /** An abort that came while runs were being claimed gives all of them back. */
  async #unlessAborted(attempts: Attempt[], signal: AbortSignal | undefined): Promise<Attempt[]> {
    if (!signal?.aborted) return attempts;
    await Promise.all(attempts.map((attempt) => attempt[Symbol.asyncDispose]()));
    throw signal.reason;
  }

  #later(name: string, ...inputs: readonly unknown[]): Promise<Answer> {
    return this.#library.callLater(name, this.#store, ...inputs);
  }
}
