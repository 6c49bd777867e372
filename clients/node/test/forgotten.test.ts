/** Calls and promises that nobody awaits, or late, or in company. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { type Attempt, type Outcome, Suspended } from "../src/index.js";
import { claimed, folder, memory } from "./support.js";

type Body = (attempt: Attempt) => unknown;

async function outcomeOf(t: Parameters<typeof memory>[0], body: Body): Promise<Outcome> {
  const store = await memory(t);
  await store.runs.submit("w");
  return (await claimed(store)).perform(async (attempt) => body(attempt));
}

const NAPS: Readonly<Record<string, Body>> = {
  "a sleep": (attempt) => void attempt.sleep("nap", 60_000),
  "a signal": (attempt) => void attempt.signalled("nap"),
  "a child": (attempt) => void attempt.child("nap", "child"),
  children: (attempt) => void attempt.children([{ workflow: "nap" }]),
  "a wait for several": (attempt) => void attempt.all("nap", [{ signal: "s" }]),
  "a step": (attempt) => void attempt.step("nap", () => 1),
  "a step that throws": (attempt) => void attempt.step("nap", () => Promise.reject(Error("no"))),
  "a begin": (attempt) => void attempt.begin("nap"),
  "an event": (attempt) => void attempt.event("nap"),
  "a reserve": (attempt) => void attempt.reserve({ nap: 1 }),
  "a call among others": async (attempt) => {
    await attempt.step("first", () => 1);
    void attempt.step("nap", () => 2);
    await attempt.step("last", () => 3);
  },
};

for (const [name, body] of Object.entries(NAPS)) {
  test(`a forgotten await of ${name} fails the run for good, and is named`, async (t) => {
    const outcome = await outcomeOf(t, body);
    assert.ok(outcome.state === "failed", JSON.stringify(outcome));
    assert.match(JSON.stringify(outcome.error), /ForgottenAwaitError.*(nap|children).*await/);
  });
}

const AWAITED: Readonly<Record<string, Body>> = {
  "awaited late": async (attempt) => {
    const kept = attempt.step("kept", () => 1);
    await attempt.step("other", () => 2);
    await pause(5);
    return kept;
  },
  "by then": (attempt) => attempt.step("s", () => 1).then((one) => one + 1),
  "by finally": (attempt) => attempt.step("s", () => 1).finally(() => undefined),
  "by all": (attempt) => Promise.all([attempt.step("a", () => 1), attempt.step("b", () => 2)]),
  "by race": (attempt) => Promise.race([attempt.step("a", () => 1), attempt.step("b", () => 2)]),
  "by any": (attempt) => Promise.any([attempt.step("a", () => 1), attempt.step("b", () => 2)]),
  "by allSettled": (attempt) => Promise.allSettled([attempt.step("a", () => 1)]),
  "as what it returns": (attempt) => attempt.step("s", () => 1),
  "in an object, late": async (attempt) => {
    const kept = { one: attempt.step("s", () => 1) };
    await attempt.step("other", () => 2);
    return (await kept.one) + 1;
  },
  "by for await": async (attempt) => {
    const seen: number[] = [];
    for await (const n of [attempt.step("a", () => 1), attempt.step("b", () => 2)]) seen.push(n);
    return seen;
  },
  "by an async generator": async (attempt) => {
    async function* steps(): AsyncGenerator<number> {
      yield attempt.step("a", () => 1);
      yield await attempt.step("b", () => 2);
    }
    const seen: number[] = [];
    for await (const n of steps()) seen.push(n);
    return seen;
  },
  "by a branch that nobody awaits": (attempt) => {
    void (async () => {
      await attempt.step("a", () => 1);
      await attempt.step("b", () => 2);
    })();
  },
};

for (const [name, body] of Object.entries(AWAITED)) {
  test(`a call that is awaited ${name} is no forgotten one`, async (t) => {
    const outcome = await outcomeOf(t, body);
    assert.equal(outcome.state, "completed", JSON.stringify(outcome));
  });
}

test("calls kept for later are no forgotten ones when a wait comes first", async (t) => {
  const outcome = await outcomeOf(t, async (attempt) => {
    const kept = attempt.step("kept", () => 1);
    await attempt.sleep("nap", 60_000);
    return kept;
  });
  assert.deepEqual(outcome, { state: "suspended" });
});

const CLIENT = new URL("../src/index.js", import.meta.url).href;

/** Runs a worker in a process of its own, where an unhandled rejection would end it. */
function inProcess(t: Parameters<typeof folder>[0], body: string, flags: string[] = []) {
  const text = `import { Store } from ${JSON.stringify(CLIENT)};
    await using store = await Store.open(${JSON.stringify(join(folder(t), "store.db"))});
    await store.init();
    const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    ${body}`;
  const lowered = text.replace("await using store", "const store");
  const all = [...flags, "--input-type=module", "-e", `${lowered}\nawait store.close();`];
  return spawnSync(process.execPath, all, { encoding: "utf8", timeout: 30_000 });
}

/** In a process of their own, since the test runner listens for such rejections itself. */
test("a helper's rejection decides its run alone, and not if it is awaited late", (t) => {
  const body = `
    const late = async (attempt) => {
      const approval = (async () => attempt.signalled("approval"))();
      await attempt.step("meanwhile", () => pause(20));
      return approval;
    };
    const dropped = (attempt) => void (async () => attempt.sleep("nap", 60_000))();
    const own = async () => {
      void Promise.reject(new Error("nobody sees this"));
      await pause(5);
    };
    for (const workflow of [late, dropped, own]) {
      await store.runs.submit("w");
      const { state, error } = await (await store.runs.claim()).perform(workflow);
      console.log(state, error?.message ?? "");
    }`;
  const child = inProcess(t, body);
  const nobody = "a promise was rejected and nobody awaits it";
  assert.equal(child.stderr, "");
  assert.deepEqual(child.stdout.trim().split("\n"), [
    "suspended ",
    `failed ${nobody}: sleep nap is not over`,
    `failed ${nobody}: nobody sees this`,
  ]);
});

test("what a transaction's code does too late fails its run, and not the process", (t) => {
  const body = `
    const late = async (attempt) => {
      await attempt.transaction("s", (tx) => {
        tx.execute("CREATE TABLE own (n INTEGER)");
        void pause(1).then(() => tx.execute("INSERT INTO own VALUES (1)"));
      });
      await attempt.step("meanwhile", () => pause(20));
    };
    await store.runs.submit("w");
    const { state, error } = await (await store.runs.claim()).perform(late);
    console.log(state, error.message);
    console.log((await store.query("SELECT count(*) FROM own")).rows);`;
  const child = inProcess(t, body);
  assert.equal(child.stderr, "");
  const nobody = "a promise was rejected and nobody awaits it: the transaction is over";
  const [failed, rows] = child.stdout.trim().split("\n");
  assert.ok(failed?.startsWith(`failed ${nobody}`), failed);
  assert.equal(rows, "[ [ 0 ] ]");
});

test("a forgotten await ends no process, in the strictest mode of Node either", async (t) => {
  const body = `
    const worker = store.worker({
      nap: (attempt) => void attempt.sleep("nap", 60_000),
      bad: (attempt) => void attempt.step("bad", () => { throw new Error("no"); }),
      good: () => "fine",
    }, { log: "off", concurrency: 3 });
    const ids = [];
    for (const name of ["nap", "bad", "good"]) ids.push((await store.runs.submit(name)).runId);
    for (const id of ids) console.log((await store.runs.wait(id)).state);
    await worker.stop();`;
  for (const mode of ["throw", "strict"]) {
    const child = inProcess(t, body, [`--unhandled-rejections=${mode}`]);
    assert.equal(child.stderr, "");
    assert.deepEqual(child.stdout.trim().split("\n"), ["failed", "failed", "completed"]);
    assert.equal(child.status, 0);
  }
});

test("a rejection that is none of an attempt's ends the process as ever", async (t) => {
  const body = `
    await store.runs.submit("w");
    await (await store.runs.claim()).perform(() => 1);
    void Promise.reject(new Error("of the host"));
    await pause(1_000);`;
  const child = inProcess(t, body);
  assert.equal(child.status, 1);
  assert.match(child.stderr, /of the host/);
  const lenient = inProcess(t, body, ["--unhandled-rejections=warn"]);
  assert.equal(lenient.status, 0);
  assert.match(lenient.stderr, /of the host/);
});

test("what was left behind rejects into nothing", async (t) => {
  const body = `
    const worker = store.worker({
      w: async (attempt) => {
        const told = new Promise((resolve) => attempt.signal.addEventListener("abort", resolve));
        if (!attempt.signal.aborted) await told;
        await pause(700);
        void (async () => attempt.step("late", () => 1))();
        await attempt.step("later", () => 2);
      },
    }, { log: "off", graceMs: 0 });
    const { runId } = await store.runs.submit("w");
    while ((await store.runs.get(runId)).state !== "running") await pause(5);
    await worker.stop();
    const { state, tries } = await store.runs.get(runId);
    console.log(state, tries);
    await pause(1_000);`;
  const child = inProcess(t, body);
  assert.equal(child.stderr, "");
  assert.equal(child.stdout, "pending 0\n");
  assert.equal(child.status, 0);
});

test("a Suspended of one attempt parks no other", async (t) => {
  const outcome = await outcomeOf(t, () => {
    throw new Suspended("of nobody");
  });
  assert.equal(outcome.state, "retrying");
});
