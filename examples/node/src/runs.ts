import { Attempt } from "./attempt.js";
import type { Changes } from "./changes.js";
import type { HistoryDocument, Page, RunDocument } from "./documents.js";
import type { Handle } from "./handle.js";
import { fromJson, type Json, toJson } from "./json.js";
import type { Answer, Library } from "./library.js";
import {
  type ClaimOptions,
  claimFields,
  type SubmitOptions,
  snakeKeys,
  submitFields,
} from "./options.js";
import { withStop } from "./stop.js";

/** A submitted run; `exists` when its idempotency key had made it before. */
export interface Submitted {
  runId: string;
  exists: boolean;
}

export interface SubmitItem extends SubmitOptions {
  workflow: string;
  args?: unknown;
}

export interface PageOptions {
  cursor?: string | undefined;
  limit?: number;
}

/** A third of the lease: two heartbeats may be late. */
const BEATS_A_LEASE = 3;

/** What is done with runs: `store.runs`. */
export class Runs {
  readonly #library: Library;
  readonly #store: Handle;
  readonly #changes: Changes;
  readonly #leaseMs: number;

  constructor(library: Library, store: Handle, changes: Changes, leaseMs: number) {
    this.#library = library;
    this.#store = store;
    this.#changes = changes;
    this.#leaseMs = leaseMs;
  }

  /** Submits a run. With an idempotency key, one key makes one run. */
  async submit(workflow: string, args?: unknown, options: SubmitOptions = {}): Promise<Submitted> {
    const fields = submitFields(this.#library, options);
    const answer = await this.#later("sw_run_submit", workflow, toJson(args), fields);
    return { runId: answer.text ?? "", exists: answer.code === "SW_EXISTS" };
  }

  /** Submits many in one commit, all or none. */
  async submitMany(items: readonly SubmitItem[]): Promise<Submitted[]> {
    const answer = await this.#later("sw_run_submit_many", toJson(items.map(snakeKeys)));
    const made = fromJson<{ run_id: string; exists: boolean }[]>(answer.text ?? "[]");
    return made.map((one) => ({ runId: one.run_id, exists: one.exists }));
  }

  /** Claims a run; undefined when none is ready in time. Waits without holding a thread. */
  async claim(options: ClaimOptions = {}): Promise<Attempt | undefined> {
    const { signal, waitMs = 0 } = options;
    const look = async (stop: Handle | undefined): Promise<Attempt | undefined> => {
      const fields = { ...claimFields(this.#library, options), stop };
      const answer = await this.#later("sw_run_claim", options.queue, fields);
      const attempt = answer.pointer && this.#attempt(answer.pointer, options);
      return attempt ? this.#unlessAborted(attempt, signal) : undefined;
    };
    return withStop(this.#library, signal, (stop) =>
      this.#changes.until(() => look(stop), waitMs, signal),
    );
  }

  /** Claims up to `max` runs in one commit; none when none is ready in time. */
  async claimMany(max: number, options: ClaimOptions = {}): Promise<Attempt[]> {
    const { signal, waitMs = 0 } = options;
    const look = async (stop: Handle | undefined): Promise<Attempt[] | undefined> => {
      const fields = { ...claimFields(this.#library, options), stop };
      const answer = await this.#later("sw_run_claim_many", options.queue, fields, max);
      const attempts = answer.pointers.map((one) => this.#attempt(one, options));
      for (const attempt of attempts) await this.#unlessAborted(attempt, signal);
      return attempts.length > 0 ? attempts : undefined;
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

  /** Returns the id of the run that a key made. */
  async find(key: string, scope?: string): Promise<string | undefined> {
    return (await this.#later("sw_run_find", scope, key)).text;
  }

  /** Cancels a run and its children; a running attempt learns of it. */
  async cancel(runId: string, reason?: Json): Promise<void> {
    await this.#later("sw_run_cancel", runId, toJson(reason));
  }

  async pause(runId: string): Promise<void> {
    await this.#later("sw_run_pause", runId);
  }

  async resume(runId: string): Promise<void> {
    await this.#later("sw_run_resume", runId);
  }

  /** Makes a failed or cancelled run pending again; recorded results stay. */
  async retry(runId: string): Promise<void> {
    await this.#later("sw_run_retry", runId);
  }

  /** Submits a copy that has what was recorded before a step; resolves to its id. */
  async fork(runId: string, fromStep?: string): Promise<string> {
    return (await this.#later("sw_run_fork", runId, fromStep)).text ?? "";
  }

  async get<Result = Json>(runId: string): Promise<RunDocument<Result>> {
    return document(await this.#later("sw_run_get", runId));
  }

  /** A page of a run's history; `next` is the cursor of the one after. */
  async history(runId: string, page: PageOptions = {}): Promise<HistoryDocument> {
    return document(await this.#later("sw_run_history", runId, page.cursor, page.limit));
  }

  /** A page of the runs that a filter lets through, newest first. */
  async list(filter?: Json, page: PageOptions = {}): Promise<Page<RunDocument>> {
    return document(await this.#later("sw_run_list", toJson(filter), page.cursor, page.limit));
  }

  /** All runs that a filter lets through, page by page. */
  async *each(filter?: Json): AsyncGenerator<RunDocument> {
    let cursor: string | undefined;
    do {
      const page: Page<RunDocument> = await this.list(filter, { cursor });
      yield* page.items;
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
  }

  /** Everything about a run, for another store. */
  async export(runId: string): Promise<Json> {
    return document(await this.#later("sw_run_export", runId));
  }

  async import(exported: Json): Promise<string> {
    return (await this.#later("sw_run_import", toJson(exported))).text ?? "";
  }

  #attempt(pointer: bigint, { leaseMs }: ClaimOptions): Attempt {
    const lengthMs = typeof leaseMs === "number" && leaseMs > 0 ? leaseMs : this.#leaseMs;
    return new Attempt(this.#library, pointer, Math.ceil(lengthMs / BEATS_A_LEASE));
  }

  /** An abort that came while the run was being claimed gives it back. */
  async #unlessAborted(attempt: Attempt, signal: AbortSignal | undefined): Promise<Attempt> {
    if (!signal?.aborted) return attempt;
    await attempt[Symbol.asyncDispose]();
    throw signal.reason;
  }

  #later(name: string, ...inputs: readonly unknown[]): Promise<Answer> {
    return this.#library.callLater(name, this.#store, ...inputs);
  }
}

export function document<T>(answer: Answer): T {
  return fromJson<T>(answer.text ?? "null");
}
