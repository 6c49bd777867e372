// The documents of the store, as they change: fetched with their ETag, looked at again when the
// store says that something changed, and now and then besides, since claims, steps and heartbeats
// change documents without moving the store's change counter.

import { useEffect, useReducer, useRef, useState } from "./vendor/hooks.js";

const LOOK_AGAIN_MS = 2000;
const BURST_MS = 250;

// Numbers that binary64 would round stay as their text, which JSON.rawJSON carries: it is shown
// exactly, and written back exactly.
function exact(_key, value, context) {
  if (typeof value !== "number" || String(value) === context.source) return value;
  return JSON.rawJSON(context.source);
}

export const readsExactly = typeof JSON.rawJSON === "function";

export function parse(text) {
  return JSON.parse(text, exact);
}

// A failure of the server or of the way to it, with what it said.
export class Refused extends Error {
  constructor(status, said) {
    super(said.message ?? `the server answered ${status}`);
    this.status = status;
    this.code = said.code ?? null;
  }
}

let skewMs = 0;

// The store's clock, which may be a manual one.
export function now() {
  return Date.now() + skewMs;
}

async function refusal(response) {
  const text = await response.text();
  try {
    return new Refused(response.status, JSON.parse(text));
  } catch {
    return new Refused(response.status, {});
  }
}

async function asked(path, options) {
  try {
    return await fetch(path, options);
  } catch {
    throw new Refused(0, { message: "the server does not answer; has it been stopped?" });
  }
}

// What stands at a path: its text and tag, or null when it is still what the tag says.
export async function fetchText(path, tag) {
  const headers = tag ? { "If-None-Match": tag } : {};
  const response = await asked(path, { headers, cache: "no-store" });
  const storeNow = Number(response.headers.get("Store-Now"));
  if (storeNow) skewMs = storeNow - Date.now();
  if (response.status === 304) return null;
  if (!response.ok) throw await refusal(response);
  const length = Number(response.headers.get("Payload-Bytes"));
  return { text: await response.text(), tag: response.headers.get("ETag"), length };
}

export async function fetchDocument(path) {
  return parse((await fetchText(path)).text);
}

// Pages of a list, one after the other, each asked for with the tag that it had: those that are as they
// were come from the look before, and null is answered when all are. `join` says what they come to.
export async function fetchPages(pathOf, most, before, join) {
  const pages = [];
  let isNew = false;
  let cursor = null;
  do {
    const path = pathOf(cursor);
    const last = before?.pages[pages.length];
    const had = last?.path === path ? last : null;
    const answer = await fetchText(path, had?.tag);
    isNew ||= answer !== null;
    pages.push(answer === null ? had : { path, tag: answer.tag, cursor, said: parse(answer.text) });
    cursor = pages.at(-1).said.next;
  } while (cursor && pages.length < most);
  if (!isNew && before.pages.length === pages.length) return null;
  return { pages, isCut: cursor !== null, ...join(pages) };
}

export async function post(path, body) {
  const response = await asked(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw await refusal(response);
  changes.tell();
  return parse(await response.text());
}

// Who looks at the store; told of changes, of bursts once.
export const changes = {
  watchers: new Set(),
  timer: 0,
  tell() {
    this.timer ||= setTimeout(() => {
      this.timer = 0;
      for (const look of this.watchers) look();
    }, BURST_MS);
  },
};

// One stream for a page that is seen; a browser has six connections for all its tabs.
export function follow(onState) {
  let source = null;
  const open = () => {
    source = new EventSource("/api/changes");
    source.addEventListener("change", () => changes.tell());
    source.onopen = () => onState("live");
    source.onerror = () => onState("lost");
  };
  const turn = () => {
    source?.close();
    source = null;
    if (document.hidden) return;
    open();
    changes.tell();
  };
  const lookAgain = () => {
    if (document.hidden) return;
    if (source?.readyState === EventSource.CLOSED) turn();
    else changes.tell();
  };
  document.addEventListener("visibilitychange", turn);
  const timer = setInterval(lookAgain, LOOK_AGAIN_MS);
  turn();
  return () => {
    document.removeEventListener("visibilitychange", turn);
    clearInterval(timer);
    source?.close();
  };
}

// Keeps what `load` gives at hand, and loads again with every change, one load at a time. A load
// gets what the one before gave, and gives null when that is still so. After a costly load the next
// is put off, so that looking takes a tenth of the time at most.
export function useLoaded(key, load) {
  const [state, setState] = useState({ key: null, value: null, error: null });
  const latest = useRef(null);
  useEffect(() => {
    if (key === null) return undefined;
    let over = false;
    let busy = false;
    let again = false;
    let notBefore = 0;
    latest.current = null;
    const settle = (error) => {
      const value = latest.current;
      if (!over) setState((was) => (isSame(was, key, value, error) ? was : { key, value, error }));
    };
    const look = async () => {
      if (busy) again = true;
      if (busy || performance.now() < notBefore) return;
      busy = true;
      again = false;
      const began = performance.now();
      try {
        const loaded = await load(latest.current);
        if (over) return;
        if (loaded !== null) latest.current = loaded;
        settle(null);
      } catch (error) {
        settle(error);
      }
      busy = false;
      const took = performance.now() - began;
      notBefore = took > 100 ? performance.now() + 9 * took : 0;
      if (again) setTimeout(look, 9 * took);
    };
    changes.watchers.add(look);
    look();
    return () => {
      over = true;
      changes.watchers.delete(look);
    };
  }, [key]);
  return state.key === key ? state : { key, value: null, error: null };
}

function isSame(was, key, value, error) {
  return was.key === key && was.value === value && was.error?.message === error?.message;
}

// The document at a path, null for none.
export function useDocument(path) {
  const loaded = useLoaded(path, async (before) => {
    const answer = await fetchText(path, before?.tag);
    return answer && { tag: answer.tag, said: parse(answer.text) };
  });
  return { value: loaded.value?.said ?? null, error: loaded.error };
}

const clock = { timer: 0, watchers: new Set() };

function tick() {
  for (const watcher of clock.watchers) watcher();
}

// The store's time, each second anew.
export function useNow() {
  const [, again] = useReducer((count) => count + 1, 0);
  useEffect(() => {
    clock.watchers.add(again);
    clock.timer ||= setInterval(tick, 1000);
    return () => {
      clock.watchers.delete(again);
      if (clock.watchers.size > 0) return;
      clearInterval(clock.timer);
      clock.timer = 0;
    };
  }, []);
  return now();
}
