import type { EventDocument, EventPage } from "./documents.js";
import type { Handle } from "./handle.js";
import type { Library } from "./library.js";
import type { Integer } from "./numbers.js";
import { document, Topic } from "./topic.js";
import type { Changes } from "./watch.js";

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
