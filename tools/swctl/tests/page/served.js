// `swctl FILE serve` as a process of its own, beside whoever works at the store.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

export class Served {
  #child;
  #lines;

  static async start(program, file, ...options) {
    const served = new Served();
    const asked = [file, "serve", ...options];
    served.#child = spawn(program, asked, { stdio: ["pipe", "pipe", "pipe"] });
    served.stderr = "";
    served.#child.stderr.setEncoding("utf8").on("data", (data) => {
      served.stderr += data;
    });
    served.#lines = createInterface({ input: served.#child.stdout })[Symbol.asyncIterator]();
    served.ended = once(served.#child, "close");
    await served.readAddress();
    return served;
  }

  // The next address that it prints.
  async readAddress() {
    const { value, done } = await this.#lines.next();
    if (done) {
      await this.ended;
      throw new Error(`swctl did not serve: ${this.stderr}`);
    }
    this.address = value;
    this.origin = new URL(value).origin;
  }

  async pressEnter() {
    this.#child.stdin.write("\n");
    await this.readAddress();
  }

  // The cookie that a token is exchanged for.
  async letIn() {
    const answer = await fetch(this.address, { redirect: "manual" });
    return answer.headers.get("set-cookie")?.split(";")[0];
  }

  async end(signal = "SIGINT") {
    this.#child.kill(signal);
    return this.ended;
  }
}
