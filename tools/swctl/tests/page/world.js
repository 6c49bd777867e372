// A store that lives: workers that do, fail, wait and back off, as a real one would, and hard cases.

import { Failure, Store, workflow } from "../../../../clients/node/dist/src/index.js";

export const MARKUP = `<img src=x onerror="window.taken=1"><script>window.taken=1</script>`;
export const LONG_NAME = "n".repeat(255);
export const RIGHT_TO_LEFT = "\u05ea\u05e9\u05dc\u05d5\u05dd \u202eabc";
// What a terminal would obey, and what nobody sees.
export const CONTROLS = "\u001b[2J\u0007\u009b \u00ad\u061c\ufeff\u{e0041}\u0000";

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const invoice = workflow("invoice", async (attempt, args) => {
  const order = await attempt.step("read order", async () => {
    await wait(args.pace ?? 5);
    return { order: args.order, cents: 129_900 };
  });
  await attempt.step(
    "charge card",
    async (step) => {
      await wait(2 * (args.pace ?? 5));
      if (step.tries < 2) throw new Error("bank: connection reset by peer 10.1.4.77");
      return { receipt: `r-${args.order}` };
    },
    { maxTries: 4, backoffInitialMs: 12 * (args.pace ?? 5) },
  );
  await attempt.sleep("let the dust settle", 20 * (args.pace ?? 5));
  await attempt.event("charged", { order: args.order });
  const approved = await attempt.signalled("approval");
  return attempt.step("send mail", async () => {
    await wait(3 * (args.pace ?? 5));
    return { approved, order };
  });
});

const failing = workflow("settle", async (attempt, args) => {
  await attempt.step("open ledger", () => ({ ledger: args.order }));
  throw new Failure(
    { message: `bank: timeout after 3000 ms for account ${args.order}` },
    { terminal: true },
  );
});

const refused = workflow("import", () => {
  throw new Failure(`row 17 of "a.csv" has no amount`, { terminal: true });
});

const markup = workflow(MARKUP, async (attempt) => {
  await attempt.step(MARKUP, () => ({ [MARKUP]: MARKUP }), { kind: MARKUP });
  await attempt.event(MARKUP, MARKUP);
  throw new Failure({ message: MARKUP }, { terminal: true });
});

const child = workflow("page", async (attempt, args) => {
  await attempt.step("render", () => args.n);
  if (args.n % 97 === 13)
    throw new Failure({ message: `page ${args.n} is empty` }, { terminal: true });
  return args.n;
});

const fanout = workflow("book", async (attempt, args) => {
  const items = Array.from({ length: args.pages }, (_, n) => ({
    name: `page ${n}`,
    workflow: "page",
    args: { n },
  }));
  const ids = await attempt.children(items);
  await attempt.all(
    "pages",
    ids.map((id) => ({ child: id })),
  );
  return args.pages;
});

const many = workflow("crawl", async (attempt, args) => {
  for (let n = 0; n < args.steps; n++)
    await attempt.step("fetch", () => n, { durability: "process" });
  return args.steps;
});

const agent = workflow("agent", async (attempt, args) => {
  for (const [n, tokens] of args.spends.entries()) {
    const ask = async (step) => {
      await attempt.reserve({ tokens, calls: 1 }, { step });
      step.used({ tokens, calls: 1 });
      return { turn: n };
    };
    await attempt.step("ask model", ask, { kind: "model" });
  }
  return "done";
});

// Its first attempts fail as a whole.
const shaky = workflow("transfer", async (attempt, args) => {
  await attempt.step("take", () => wait(args.pace));
  await wait(args.pace);
  if (attempt.number < 3) throw new Error("ledger: row is locked");
  return attempt.step("give", () => wait(args.pace));
});

const slow = workflow("report", async (attempt) => {
  await attempt.step(
    "gather",
    async () => {
      await wait(600_000);
    },
    { track: true },
  );
});

export const WORKFLOWS = [
  invoice,
  failing,
  refused,
  markup,
  child,
  fanout,
  many,
  agent,
  shaky,
  slow,
];

export class World {
  static async open(file) {
    const world = new World();
    world.store = await Store.open(file, { durability: "process" });
    await world.store.init();
    return world;
  }

  work(options = {}) {
    this.worker = this.store.worker(WORKFLOWS, {
      concurrency: 8,
      worker: "worker-a",
      log: "off",
      ...options,
    });
    return this.worker;
  }

  async submit(name, args, options) {
    return (await this.store.runs.submit(name, args, options)).runId;
  }

  async until(runId, ...states) {
    const end = Date.now() + 30_000;
    for (;;) {
      const run = await this.store.runs.get(runId);
      if (states.includes(run.state)) return run;
      if (Date.now() > end) throw new Error(`${runId} is ${run.state}, not ${states}`);
      await wait(10);
    }
  }

  workOn(queue) {
    return this.store.worker(WORKFLOWS, { queue, worker: "worker-b", log: "off" });
  }

  async untilAttempts(runId, count) {
    const end = Date.now() + 30_000;
    for (;;) {
      const run = await this.store.runs.get(runId);
      if (run.attempts >= count) return run;
      if (Date.now() > end) throw new Error(`${runId} had ${run.attempts} attempts`);
      await wait(10);
    }
  }

  // Until a run is parked on a signal.
  async untilSignal(runId) {
    const end = Date.now() + 30_000;
    for (;;) {
      const { waiting_for } = await this.store.runs.get(runId);
      if (waiting_for?.some((one) => one.signal)) return;
      if (Date.now() > end) throw new Error(`${runId} waits for no signal`);
      await wait(10);
    }
  }

  async close() {
    await this.store.close();
  }
}
