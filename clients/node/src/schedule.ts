import type { ScheduleDocument } from "./documents.js";
import { type Json, toJson } from "./json.js";
import type { Integer } from "./numbers.js";
import { snakeKeys } from "./options.js";
import { document, Topic } from "./topic.js";

/** Of a schedule: one of `cron` and `everyMs` must be there. */
export interface ScheduleSpec {
  /** The workflow of the runs that it submits. */
  workflow: string;
  /** Their arguments; null if absent. */
  args?: Json;
  /** Their queue; "default" if absent. */
  queue?: string;
  /** Five fields, or... */
  cron?: string;
  /** ...a fixed distance. */
  everyMs?: Integer;
  /** Name in the IANA database by whose clock `cron` goes; UTC if absent. */
  timezone?: string;
  /** What a firing does while the last run is open; "skip" if absent. */
  overlap?: "skip" | "queue";
  /** Which firings that passed unseen are made up for; "last" if absent. */
  catchUp?: "none" | "last" | "all";
  /** It fires no more. */
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
