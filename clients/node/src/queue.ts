import type { QueueDocument } from "./documents.js";
import { toJson } from "./json.js";
import { snakeKeys } from "./options.js";
import { document, Topic } from "./topic.js";

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
  /** The queues that have runs or were set, by name, as they stand. */
  async list(): Promise<QueueDocument[]> {
    return document(await this.later("sw_queue_list"));
  }
}
