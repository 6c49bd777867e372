import { toJson } from "./json.js";
import { Topic } from "./topic.js";

/** `store.signals` */
export class Signals extends Topic {
  /** Sends a message to a run; false when the key had sent it before. */
  async send(runId: string, name: string, payload?: unknown, key?: string): Promise<boolean> {
    const answer = await this.later("sw_signal_send", runId, name, toJson(payload), key);
    return answer.code !== "SW_EXISTS";
  }
}
