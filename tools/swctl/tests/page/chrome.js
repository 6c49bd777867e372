// A browser without a window, told what to do by the Chrome DevTools Protocol over a pipe: no port, no
// package. Every wait is for a condition, and bounded.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const PATIENCE_MS = 20_000;
const LOOK_AGAIN_MS = 25;

const FLAGS = [
  "--headless=new",
  "--remote-debugging-pipe",
  "--no-first-run",
  "--disable-extensions",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-dev-shm-usage",
  "--disable-gpu",
  "--force-color-profile=srgb",
  "--hide-scrollbars",
  "--lang=en",
  // Names that an attacker's own server would give for this machine.
  "--host-resolver-rules=MAP rebound.example 127.0.0.1, MAP elsewhere.example 127.0.0.1",
];

export class Chrome {
  #child;
  #folder;
  #calls = new Map();
  #listeners = new Set();
  #next = 1;
  #rest = "";

  constructor(program) {
    this.#folder = mkdtempSync(join(tmpdir(), "page-browser-"));
    const sandbox = process.getuid() === 0 ? ["--no-sandbox"] : [];
    const flags = [...FLAGS, ...sandbox, `--user-data-dir=${this.#folder}`, "about:blank"];
    this.#child = spawn(program, flags, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    this.#child.stdio[4].setEncoding("utf8").on("data", (data) => this.#take(data));
    this.#child.on("exit", () => this.#end());
  }

  // Messages end with a NUL.
  #take(data) {
    const messages = (this.#rest + data).split("\0");
    this.#rest = messages.pop();
    for (const message of messages) this.#hear(JSON.parse(message));
  }

  #hear(message) {
    const call = this.#calls.get(message.id);
    if (!call) {
      for (const listener of this.#listeners) listener(message);
      return;
    }
    this.#calls.delete(message.id);
    if (message.error) call.reject(new Error(message.error.message));
    else call.resolve(message.result);
  }

  #end() {
    for (const { reject } of this.#calls.values()) reject(new Error("the browser has ended"));
    this.#calls.clear();
  }

  send(method, params = {}, sessionId = undefined) {
    const id = this.#next++;
    const answer = new Promise((resolve, reject) => this.#calls.set(id, { resolve, reject }));
    this.#child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return answer;
  }

  listen(listener) {
    this.#listeners.add(listener);
  }

  async page() {
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(this, targetId, sessionId);
    await page.start();
    return page;
  }

  async close() {
    const gone = once(this.#child, "exit");
    await this.send("Browser.close");
    await gone;
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

export class Page {
  #chrome;
  #target;
  #session;
  // What the page said that it should not: exceptions, and errors of the console.
  faults = [];
  // Addresses that were asked for, with the status of their answers.
  answers = [];

  constructor(chrome, target, session) {
    this.#chrome = chrome;
    this.#target = target;
    this.#session = session;
    chrome.listen((message) => message.sessionId === session && this.#hear(message));
  }

  #hear({ method, params }) {
    if (method === "Runtime.exceptionThrown") {
      this.faults.push(
        params.exceptionDetails.exception?.description ?? params.exceptionDetails.text,
      );
    }
    if (method === "Log.entryAdded" && params.entry.level === "error")
      this.faults.push(params.entry.text);
    if (method === "Page.javascriptDialogOpening") this.faults.push(`a dialog: ${params.message}`);
    if (method === "Network.responseReceived") {
      this.answers.push({ url: params.response.url, status: params.response.status });
    }
  }

  send(method, params) {
    return this.#chrome.send(method, params, this.#session);
  }

  async start() {
    for (const domain of ["Page", "Runtime", "Log", "Network", "Performance"])
      await this.send(`${domain}.enable`);
  }

  async size(width, height, scale = 1) {
    const size = { width, height, deviceScaleFactor: scale, mobile: false };
    await this.send("Emulation.setDeviceMetricsOverride", size);
  }

  async scheme(value) {
    const features = [{ name: "prefers-color-scheme", value }];
    await this.send("Emulation.setEmulatedMedia", { features });
  }

  async open(url) {
    const { errorText } = await this.send("Page.navigate", { url });
    if (errorText) throw new Error(`${url}: ${errorText}`);
    await this.until(`document.readyState === "complete"`);
  }

  // The value of an expression in the page.
  async value(expression) {
    const asked = { expression, returnByValue: true, awaitPromise: true };
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", asked);
    if (exceptionDetails)
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  // Waits until an expression is true in the page, and gives its value.
  async until(expression) {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      let value;
      try {
        value = await this.value(expression);
      } catch (error) {
        if (!/context|navigat/i.test(error.message)) throw error;
      }
      if (value) return value;
      if (Date.now() > end) throw new Error(`it did not come: ${expression}\n${await this.text()}`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
    }
  }

  text() {
    return this.value("document.body?.innerText ?? ''");
  }

  sees(text) {
    return this.until(`document.body?.innerText.includes(${JSON.stringify(text)})`);
  }

  async click(selector, words = "") {
    const found = `[...document.querySelectorAll(${JSON.stringify(selector)})].find((one) =>
      one.textContent.includes(${JSON.stringify(words)}) && !one.disabled)`;
    await this.until(`Boolean(${found})`);
    await this.value(`${found}.click()`);
  }

  async key(key, modifiers = 0) {
    const codes = { Tab: 9, Enter: 13, Escape: 27, " ": 32 };
    const text = key === "Enter" ? "\r" : key.length === 1 ? key : undefined;
    const about = { key, code: key, windowsVirtualKeyCode: codes[key], modifiers, text };
    await this.send("Input.dispatchKeyEvent", { type: text ? "keyDown" : "rawKeyDown", ...about });
    await this.send("Input.dispatchKeyEvent", { type: "keyUp", ...about });
  }

  async type(text) {
    await this.send("Input.insertText", { text });
  }

  // Lets a server that does not exist yet, or is broken, answer: what it says at addresses that hold a
  // text is replaced. Gives what ends that.
  async falsify(address, from, to) {
    const source = `{ const real = fetch;
      fetch = async (path, ...rest) => {
        const answer = await real(path, ...rest);
        if (!String(path).includes(${JSON.stringify(address)}) || !answer.ok) return answer;
        const said = (await answer.text()).replaceAll(${JSON.stringify(from)}, ${JSON.stringify(to)});
        return new Response(said, { headers: answer.headers });
      }; }`;
    const { identifier } = await this.send("Page.addScriptToEvaluateOnNewDocument", { source });
    return () => this.send("Page.removeScriptToEvaluateOnNewDocument", { identifier });
  }

  async picture(isWhole = false) {
    const asked = { format: "png", captureBeyondViewport: isWhole };
    const { data } = await this.send("Page.captureScreenshot", asked);
    return Buffer.from(data, "base64");
  }

  async close() {
    await this.#chrome.send("Target.closeTarget", { targetId: this.#target });
  }
}
