import type { ScheduleDocument } from "./documents.js";
import { type Json, toJson } from "./json.js";
import type { Integer } from "./numbers.js";
import { snakeKeys } from "./options.js";
import { document, Topic } from "./topic.js";

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

  /** All schedules, by name. */
  async list<Schedule = ScheduleDocument>(): Promise<Schedule[]> {
    return document(await this.later("sw_schedule_list"));
  }
}
