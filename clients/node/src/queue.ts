import type { QueueDocument } from "./documents.js";
import { toJson } from "./json.js";
import { snakeKeys } from "./options.js";
import { document, Topic } from "./topic.js";

/** Of a queue: how many runs attempts may hold at once. What is left out is lifted. */
export interface QueueSettings {
  /** In all processes together; null is no limit. */
  concurrency?: number | null;
  /** The same among runs that share a `concurrencyKey`. */
  concurrencyPerKey?: number | null;
  /** Nothing is claimed. */
  paused?: boolean;
}

/** `store.queues` */
export class Queues extends Topic {
  /** Sets limits of a queue, or pauses it. */
  async set(queue: string, settings: QueueSettings): Promise<void> {
    await this.later("sw_queue_set", queue, toJson(snakeKeys(settings)));
  }
  /** The queues that have runs or were set, by name, as they stand. */
  async list(): Promise<QueueDocument[]> {
    return document(await this.later("sw_queue_list"));
  }
}
