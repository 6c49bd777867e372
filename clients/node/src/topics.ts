/** The smaller topics of a store: signals, queues, schedules, budgets, events. */
import type { Changes } from "./changes.js";
import type { BudgetDocument, EventDocument, EventPage } from "./documents.js";
import type { Handle } from "./handle.js";
import { type Json, toJson } from "./json.js";
import type { Answer, Library } from "./library.js";
import { type Integer, parseExactly } from "./numbers.js";
import { type Amounts, amountsToJson, snakeKeys } from "./options.js";
import { document } from "./runs.js";

class Topic {
  protected readonly library: Library;
  protected readonly store: Handle;

  constructor(library: Library, store: Handle) {
    this.library = library;
    this.store = store;
  }

  protected later(name: string, ...inputs: readonly unknown[]): Promise<Answer> {
    return this.library.callLater(name, this.store, ...inputs);
  }
}

/** `store.signals` */
export class Signals extends Topic {
  /** Sends a message to a run; false when the key had sent it before. */
  async send(runId: string, name: string, payload?: unknown, key?: string): Promise<boolean> {
    const answer = await this.later("sw_signal_send", runId, name, toJson(payload), key);
    return answer.code !== "SW_EXISTS";
  }
}

export interface QueueSettings {
  concurrency?: number | null;
  concurrencyPerKey?: number | null;
  paused?: boolean;
}

/** `store.queues` */
export class Queues extends Topic {
  /** Sets limits of a queue, or pauses it. */
  async set(queue: string, settings: QueueSettings): Promise<void> {
    await this.later("sw_queue_set", queue, toJson(snakeKeys(settings)));
  }
}

export interface ScheduleSpec {
  workflow: string;
  args?: Json;
  queue?: string;
  /** Five fields, or... */
  cron?: string;
  /** ...a fixed distance. */
  everyMs?: Integer;
  timezone?: string;
  overlap?: "skip" | "queue";
  catchUp?: "none" | "last" | "all";
  paused?: boolean;
}

/** `store.schedules` */
export class Schedules extends Topic {
  /** Makes a schedule, or sets it anew. */
  async set(name: string, spec: ScheduleSpec): Promise<void> {
    await this.later("sw_schedule_set", name, toJson(snakeKeys(spec)));
  }

  /** Deletes a schedule; runs that it submitted go on. */
  async delete(name: string): Promise<void> {
    await this.later("sw_schedule_delete", name);
  }

  /** All schedules, as the library describes them. */
  async list<Schedule = Json>(): Promise<Schedule[]> {
    return document(await this.later("sw_schedule_list"));
  }
}

/** `store.budgets` */
export class Budgets extends Topic {
  /** Says what a reservation came to; `{}` gives all of it back. */
  async settle(reservationId: string, usage: Amounts): Promise<void> {
    await this.later("sw_budget_settle", reservationId, amountsToJson(usage));
  }

  /** Raises the limit of a unit; lowers it by a negative number. */
  async raise(runId: string, unit: string, delta: Integer): Promise<void> {
    await this.later("sw_budget_raise", runId, unit, delta);
  }

  /** What the tree of a run may spend, has reserved and has spent, by unit. */
  async get(runId: string): Promise<BudgetDocument> {
    const { text } = await this.later("sw_budget_get", runId);
    return parseExactly(text ?? "null") as BudgetDocument;
  }
}

export interface TailOptions {
  afterSeq?: Integer;
  runId?: string;
  signal?: AbortSignal;
}

/** `store.events` */
export class Events extends Topic {
  readonly #changes: Changes;

  constructor(library: Library, store: Handle, changes: Changes) {
    super(library, store);
    this.#changes = changes;
  }

  /** A page of events after a number, of all runs or of one. */
  async read(
    afterSeq: Integer,
    options: { runId?: string; limit?: number } = {},
  ): Promise<EventPage> {
    const { runId, limit } = options;
    return document(await this.later("sw_event_read", afterSeq, runId, limit));
  }

  /** Yields events in order as they are appended, until the signal is aborted. */
  async *tail(options: TailOptions = {}): AsyncGenerator<EventDocument> {
    const { signal, ...rest } = options;
    let afterSeq = options.afterSeq ?? 0;
    const look = async (): Promise<EventPage | undefined> => {
      const page = await this.read(afterSeq, rest);
      return page.items.length > 0 ? page : undefined;
    };
    while (!signal?.aborted) {
      const page = await this.#changes.until(look, -1, signal).catch((error) => {
        if (signal?.aborted) return undefined;
        throw error;
      });
      if (!page) return;
      yield* page.items;
      afterSeq = page.items.at(-1)?.seq ?? afterSeq;
    }
  }
}
