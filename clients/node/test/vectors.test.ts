import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type Attempt, newId, rawJson, SmolwfError, type Step, type Store } from "../src/index.js";
import { library } from "../src/library.js";
import { claimed, memory } from "./support.js";

const VECTORS = new URL("../../../../tests/vectors/", import.meta.url);

function vectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(name, VECTORS), "utf8")) as T;
}

/** Refuses keys that this reader does not know: a vector half understood tests nothing. */
function known<T extends object>(one: T, keys: readonly string[]): T {
  const strange = Object.keys(one).filter((key) => !keys.includes(key));
  assert.deepEqual(strange, []);
  return one;
}

test("vectors: the codes are these, no more and no less", () => {
  const { codes } = vectors<{ codes: { name: string; code: number }[] }>("codes.json");
  const ours = [...library().header.constants].filter(([name]) => isCode(name));
  const theirs = codes.map((one) => known(one, ["name", "code"]));
  assert.deepEqual(
    new Map(ours.map(([name, value]) => [name, Number(value)])),
    new Map(theirs.map(({ name, code }) => [name, code])),
  );
});

function isCode(name: string): boolean {
  const answers = ["SW_OK", "SW_NONE", "SW_TIMEOUT", "SW_REPLAYED", "SW_EXISTS", "SW_SUSPEND"];
  return name.startsWith("SW_ERR_") || name === "SW_FAILED" || answers.includes(name);
}

interface Ids {
  form: string;
  prefixes: string[];
  refused_prefixes: string[];
  ids: string[];
  not_ids: string[];
}

test("vectors: ids have their form", () => {
  const keys = ["form", "prefixes", "refused_prefixes", "ids", "not_ids"];
  const { form, prefixes, refused_prefixes, ids, not_ids } = known(vectors<Ids>("ids.json"), keys);
  const pattern = new RegExp(form);
  for (const prefix of prefixes) {
    const id = newId(prefix);
    assert.match(id, pattern);
    assert.equal(id.length, prefix.length + 27);
    assert.ok(id.startsWith(`${prefix}_`));
  }
  for (const prefix of refused_prefixes) {
    assert.throws(() => newId(prefix), { name: "SW_ERR_INVALID" }, prefix);
  }
  for (const id of ids) assert.match(id, pattern);
  for (const id of not_ids) assert.doesNotMatch(id, pattern);
});

interface Inputs {
  accepted: { input: string; canonical: string; input_hash: string }[];
  refused: { why: string; input: string; answers: string }[];
}

test("vectors: inputs have their hashes, or are refused", async (t) => {
  const store = await memory(t);
  const { accepted, refused } = known(vectors<Inputs>("inputs.json"), ["accepted", "refused"]);
  const { runId } = await store.runs.submit("vectors");
  await using attempt = await claimed(store);
  for (const one of accepted) {
    known(one, ["input", "canonical", "input_hash"]);
    await attempt.step("accepted", () => null, { input: rawJson(one.input) });
  }
  for (const one of refused) {
    known(one, ["why", "input", "answers"]);
    const begin = attempt.begin("refused", { input: rawJson(one.input) });
    await assert.rejects(begin, { name: one.answers }, one.why);
  }
  const { steps } = await store.runs.history(runId);
  assert.deepEqual(
    steps.map((step) => step.input_hash),
    accepted.map((one) => one.input_hash),
  );
});

interface Act {
  begin?: string;
  at?: number;
  input?: string;
  answers?: string;
  occurrence?: number;
  result?: string;
  error?: string;
  then?: string;
  retry_after_ms?: number;
  as?: string;
  complete?: string;
  advance_ms?: number;
}

interface Case {
  name: string;
  attempts: Act[][];
  recorded: [string, number][];
}

const ACT_KEYS = [
  ...["begin", "at", "input", "answers", "occurrence", "result", "error", "then"],
  ...["retry_after_ms", "as", "complete", "advance_ms"],
];

/** What the client makes of the answers of a begin. */
async function begun(attempt: Attempt, act: Act): Promise<[string, Step | undefined]> {
  const input = act.input === undefined ? undefined : rawJson(act.input);
  try {
    const step = await attempt.begin(act.begin ?? "", { occurrence: act.at ?? 0, input });
    return [{ run: "SW_OK", replayed: "SW_REPLAYED", failed: "SW_FAILED" }[step.state], step];
  } catch (error) {
    return [error instanceof SmolwfError ? error.name : "SW_SUSPEND", undefined];
  }
}

async function finish(step: Step, act: Act): Promise<void> {
  const error = rawJson(act.error ?? "null");
  if (act.then === "complete") await step.complete(rawJson(act.result ?? "null"));
  else if (act.then === "fail") {
    assert.equal(await step.failJson(error, { retryAfterMs: act.retry_after_ms }), true);
  } else if (act.then === "fail_terminal") {
    assert.equal(await step.failJson(error, { terminal: true }), false);
  } else assert.ok(act.then === "free" || act.then === "keep", `${act.then} is not known`);
}

async function play(
  store: Store,
  attempt: Attempt,
  kept: Map<string, Step>,
  act: Act,
): Promise<void> {
  known(act, ACT_KEYS);
  if (act.advance_ms !== undefined) return void (await store.advanceClock(act.advance_ms));
  if (act.complete !== undefined) {
    assert.equal(act.answers, "SW_OK");
    await kept.get(act.complete)?.complete(rawJson(act.result ?? "null"));
    kept.get(act.complete)?.free();
    return;
  }
  const [answer, step] = await begun(attempt, act);
  assert.equal(answer, act.answers);
  if (!step) return;
  assert.equal(step.occurrence, act.occurrence);
  if (step.state === "replayed") assert.equal(step.resultText, act.result);
  if (step.state === "failed") assert.equal(step.errorText, act.error);
  if (step.state === "run") await finish(step, act);
  if (act.then === "keep") kept.set(act.as ?? "", step);
  else step.free();
}

test("vectors: occurrences count as they say", async (t) => {
  const { cases } = vectors<{ cases: Case[] }>("occurrences.json");
  for (const one of cases) {
    known(one, ["name", "attempts", "recorded"]);
    const store = await memory(t);
    const { runId } = await store.runs.submit("vectors");
    for (const acts of one.attempts) {
      const attempt = await claimed(store);
      const kept = new Map<string, Step>();
      for (const act of acts) await play(store, attempt, kept, act);
      await attempt.release(0);
      attempt.free();
    }
    const { steps } = await store.runs.history(runId);
    const recorded = steps.map((step) => [step.name, step.occurrence]);
    assert.deepEqual(recorded, one.recorded, one.name);
  }
});
