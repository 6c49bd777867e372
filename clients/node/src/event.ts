import type { EventDocument, EventPage, EventsFound } from "./documents.js";
import type { Handle } from "./handle.js";
import { fromJson, toJson } from "./json.js";
import type { Library } from "./library.js";
import type { Integer } from "./numbers.js";
import { snakeKeys } from "./options.js";
import { document, Topic } from "./topic.js";
import type { Changes } from "./watch.js";

/** Which events are meant; what is left out lets all through. */
export interface EventFilter {
  /** This type, or any of these, at most 64. */
  type?: string | readonly string[];
  /** Told by this run. */
  runId?: string;
}

/** Of `events.wait`. */
export interface EventWaitOptions extends EventFilter {
  /** Events at most, 1000 by default. */
  limit?: number;
  /** Milliseconds; -1, the default, is without end. */
  timeoutMs?: number;
  /** Ends the wait when it is aborted. */
  signal?: AbortSignal;
}

/** Of `events.tail`. */
export interface TailOptions extends EventFilter {
  /** The number after which to begin: 0, the default, is all that the store has. */
  afterSeq?: Integer;
  /** Ends the tail when it is aborted. */
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

  /**
   * Waits until there are events after a number that a filter lets through; undefined when there are
   * none in time. Go on after `next_seq`.
   */
  async wait(afterSeq: Integer, options: EventWaitOptions = {}): Promise<EventsFound | undefined> {
    const { type, runId, limit, timeoutMs = -1, signal } = options;
    signal?.throwIfAborted();
    const filter = toJson(snakeKeys({ type, runId }));
    let after = afterSeq;
    const look = async (): Promise<EventsFound | undefined> => {
      for (;;) {
        // The call itself never waits: it would hold a thread of the pool. See Changes.
        const answer = await this.later("sw_event_wait", after, filter, limit, 0);
        if (answer.text === undefined) return undefined;
        const found = fromJson<EventsFound>(answer.text);
        if (found.items.length > 0) return found;
        after = found.next_seq; // it passed over many that are not meant
        signal?.throwIfAborted();
      }
    };
    return this.#changes.until(look, timeoutMs, signal);
  }

  /** Yields events in order as they are appended, until the signal is aborted. */
  async *tail(options: TailOptions = {}): AsyncGenerator<EventDocument, void, undefined> {
    const { signal, afterSeq = 0 } = options;
    let after = afterSeq;
    while (!signal?.aborted) {
      const found = await this.wait(after, options).catch((error) => {
        if (signal?.aborted) return undefined;
        throw error;
      });
      for (const event of found?.items ?? []) {
        if (signal?.aborted) return;
        yield event;
      }
      after = found?.next_seq ?? after;
    }
  }
}
