// How what the store says is worded: states, times, amounts, texts that may hold anything, and what
// stands where there is nothing to show.

import { now, useNow } from "./live.js";
import htm from "./vendor/htm.js";
import { h } from "./vendor/preact.js";

export const html = htm.bind(h);

export const STATES = [
  "pending",
  "running",
  "waiting",
  "paused",
  "completed",
  "failed",
  "cancelled",
];
export const OPEN = ["pending", "running", "waiting", "paused"];

const GLYPHS = {
  pending: "\u25cb",
  running: "\u25b8",
  waiting: "\u25d4",
  paused: "\u2016",
  completed: "\u2713",
  failed: "\u2715",
  cancelled: "\u2298",
  suspended: "\u25d4",
  released: "\u21a9",
  lost: "\u26a0",
  backing_off: "\u21bb",
  timed_out: "\u29d6",
};

const WORDS = { backing_off: "backing off", timed_out: "timed out" };

export function stateWord(state) {
  return WORDS[state] ?? state;
}

// A state by colour and word.
export function State({ of, more }) {
  return html`<span class="state s-${of}"
    ><span aria-hidden="true">${GLYPHS[of] ?? "\u25cb"}</span> ${stateWord(of)}${
      more ? html` <small>${more}</small>` : null
    }</span
  >`;
}

// Characters that are not seen, or that turn what stands beside them, as what JSON would write.
const HIDDEN = /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

export function plain(text) {
  return String(text).replace(
    HIDDEN,
    (found) => `\\u${found.codePointAt(0).toString(16).padStart(4, "0")}`,
  );
}

// A name that a host gave: in whatever direction it is written, without moving its neighbours.
export function Name({ of, empty = "\u2013" }) {
  if (of === null || of === undefined) return html`<span class="quiet">${empty}</span>`;
  const text = plain(of);
  return html`<bdi class="name" title=${text.length > 24 ? text : undefined}>${text}</bdi>`;
}

// An id keeps its end, which is what tells neighbours apart.
export function shortId(id) {
  return id.length > 16 ? `${id.slice(0, id.indexOf("_") + 1)}\u2026${id.slice(-6)}` : id;
}

export function RunLink({ id, label }) {
  return html`<a class="id" href="/runs/${encodeURIComponent(id)}" title=${id}
    >${label ?? shortId(id)}</a
  >`;
}

const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1000],
];

// A length of time by its two largest units: 3 d 4 h, 1 min 5 s, 1.25 s, 17 ms.
export function lasting(ms) {
  const length = Math.max(0, Math.round(ms));
  if (length < 1000) return `${length} ms`;
  if (length < 10_000) return `${Number((length / 1000).toFixed(2))} s`;
  const at = UNITS.findIndex(([, size]) => length >= size);
  const [unit, size] = UNITS[at];
  const first = `${Math.floor(length / size)} ${unit}`;
  const next = UNITS[at + 1];
  const rest = next ? Math.floor((length % size) / next[1]) : 0;
  return rest > 0 ? `${first} ${rest} ${next[0]}` : first;
}

export function instant(ms) {
  const time = new Date(ms);
  if (Number.isNaN(time.getTime())) return String(ms);
  return time
    .toISOString()
    .replace("T", " ")
    .replace(/(\.000)?Z$/, " UTC");
}

export function fromNow(ms, at = now()) {
  const away = at - ms;
  if (Math.abs(away) < 1000) return "now";
  const length = lasting(Math.trunc(away < 0 ? -away : away));
  const coarse = length.split(" ").slice(0, 2).join(" ").replace(/\.\d+/, "");
  return away > 0 ? `${coarse} ago` : `in ${coarse}`;
}

export function Time({ at, empty = "\u2013" }) {
  const current = useNow();
  if (at === null || at === undefined) return html`<span class="quiet">${empty}</span>`;
  const full = instant(at);
  return html`<time datetime=${full.replace(" UTC", "Z").replace(" ", "T")} title=${full}
    >${fromNow(at, current)}</time
  >`;
}

// How long something took, or has taken so far.
export function Lasting({ from, to }) {
  const current = useNow();
  return html`<span class="number">${lasting((to ?? current) - from)}</span>`;
}

export function raw(number) {
  return JSON.isRawJSON(number) ? number.rawJSON : String(number);
}

// A number with thin spaces between its thousands, exact to its last digit.
export function amount(number) {
  const text = raw(number);
  return /^-?\d+$/.test(text) ? text.replace(/\B(?=(\d{3})+$)/g, "\u2009") : text;
}

export function Amount({ of }) {
  if (of === null || of === undefined) return html`<span class="quiet">\u2013</span>`;
  return html`<span class="number" data-exact=${raw(of)}>${amount(of)}</span>`;
}

// An integer for sums and shares, whatever its size.
export function integer(number) {
  return BigInt(raw(number));
}

export function bytes(count) {
  if (count < 1024) return `${count} B`;
  const power = Math.min(4, Math.floor(Math.log2(count) / 10));
  return `${(count / 1024 ** power).toFixed(1)} ${["B", "KiB", "MiB", "GiB", "TiB"][power]}`;
}

export function plural(count, one, many = `${one}s`) {
  return `${amount(count)} ${String(count) === "1" ? one : many}`;
}

// What stands in the place of a document: the fault, that it is on its way, or that it holds nothing.
export function Missing({ error, what }) {
  if (!error) return html`<p class="loading" role="status">Looking at ${what}\u2026</p>`;
  return html`<${Fault} error=${error} what=${what} />`;
}

export function Fault({ error, what }) {
  if (error.status === 401) {
    return html`<div class="fault" role="alert">
      <h2>This page is not let in</h2>
      <p>
        The server was started anew, or this browser has lost its cookie. Open the address that
        <code>swctl</code> printed; press Enter there for a fresh one.
      </p>
    </div>`;
  }
  return html`<div class="fault" role="alert">
    <h2>${error.status === 404 ? "Not there" : `Cannot show ${what}`}</h2>
    <p>${plain(error.message)}${error.code ? html` <code>${error.code}</code>` : null}</p>
  </div>`;
}

export function Nothing({ children }) {
  return html`<p class="nothing">${children}</p>`;
}

// One line of what an error says, and what tells errors of a kind apart from others.
export function errorLine(error) {
  if (typeof error === "string") return error;
  if (hidden(error)) return error.message ?? `(${bytes(error.bytes)}, not shown)`;
  if (error && typeof error === "object") {
    if (typeof error.message === "string") return error.message;
    if (typeof error.error === "string") return error.error;
  }
  return JSON.stringify(error);
}

// What the server puts where it leaves a payload out. No host can store such an object: the key is
// the library's.
export function hidden(value) {
  return value !== null && typeof value === "object" && value.$smolwf === "payload" ? value : null;
}
