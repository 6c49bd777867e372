// The page in a real browser, beside a worker that lives: each view against a store that moves, every
// act, and what other pages and names try.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, afterEach, before, test } from "node:test";
import { Chrome } from "./chrome.js";
import { CHROMIUM, Folder, SWCTL } from "./place.js";
import { Served } from "./served.js";
import { CONTROLS, LONG_NAME, MARKUP, RIGHT_TO_LEFT, World } from "./world.js";

// The largest amount there is; binary64 would round it.
const HUGE = 9_223_372_036_854_775_807n;
const LARGE = "x".repeat(16 * 1024 * 1024 - 2);

const folder = new Folder();
const file = folder.store("orders.db");
let world;
let served;
let chrome;
let page;

async function setUp() {
  world = await World.open(file);
  await world.store.queues.set("held", { concurrency: 3, concurrencyPerKey: 2 });
  await world.store.schedules.set("nightly", { workflow: "report", cron: "30 6 * * *" });
  world.work();
  served = await Served.start(SWCTL, file, "--write");
  chrome = new Chrome(CHROMIUM);
  page = await chrome.page();
  await page.size(1240, 900);
  await page.open(served.address);
  await page.sees("Failures");
}

const options = CHROMIUM ? {} : { skip: "chromium is missing" };

before(async () => CHROMIUM && setUp(), { timeout: 60_000 });

after(async () => {
  await chrome?.close();
  await served?.end("SIGKILL");
  await world?.close();
  folder.remove();
});

// Nothing that a payload holds has run, and the page has asked for nothing that its policy forbids.
afterEach(async () => {
  if (!page) return;
  assert.equal(await page.value("window.taken"), undefined);
  const faults = page.faults.splice(0);
  assert.deepEqual(faults, []);
});

function open(path) {
  return page.open(served.origin + path);
}

test("the token is gone from the address and the cookie stands for it", options, async () => {
  assert.equal(await page.value("location.href"), `${served.origin}/`);
  assert.equal(await page.value("document.cookie"), "");
  await open("/queues");
  await page.sees("held");
});

test(
  "failures stand first, grouped by what they say, and a group is retried after a question",
  options,
  async () => {
    await open("/");
    await page.sees("No run has failed.");
    const runs = [];
    for (let order = 0; order < 3; order++)
      runs.push(await world.submit("settle", { order: 100 + order }));
    await page.until(`document.querySelector(".group .count")?.textContent === "3"`);
    assert.equal(await page.value(`document.querySelectorAll(".group").length`), 1);
    await page.sees("bank: timeout after 3000 ms for account");
    await page.click(".group button", "Retry all 3");
    await page.sees("Retry 3 runs?");
    await page.key("Escape");
    await page.until(`!document.querySelector("dialog")`);
    assert.equal((await world.store.runs.get(runs[0])).attempts, 1);
    await page.click(".group button", "Retry all 3");
    await page.click("dialog button", "Retry 3 runs");
    await page.sees("3 runs retried");
    for (const run of runs) assert.ok((await world.untilAttempts(run, 2)).attempts >= 2);
  },
);

test(
  "the filter stands in the address, and what is typed outlives what changes",
  options,
  async () => {
    await open("/runs");
    await page.until(`document.querySelector("[name=workflow]")`);
    await page.value(`document.querySelector("[name=workflow]").focus()`);
    await page.type("impo");
    const run = await world.submit("import", {});
    await page.until(`document.querySelector("tbody a.id[title='${run}']")`);
    assert.deepEqual(
      await page.value(
        `[document.activeElement.name, document.activeElement.value, location.search]`,
      ),
      ["workflow", "impo", ""],
    );
    await page.type("rt");
    await page.key("Enter");
    await page.until(`location.search === "?workflow=import"`);
    await page.until(
      `[...document.querySelectorAll("tbody td.wide .name")].every((one) => one.textContent === "import")`,
    );
    await page.value("history.back()");
    await page.until(
      `location.search === "" && document.querySelector("[name=workflow]").value === ""`,
    );
    await open("/runs?state=cancelled&metadata=tenant%3Dnobody");
    await page.sees("No run is as the filter says.");
    assert.equal(await page.value(`document.querySelector("[value=cancelled]").checked`), true);
  },
);

test(
  "a run shows its retries, backoffs and waits, why it stands, and moves when it is approved",
  options,
  async () => {
    const run = await world.submit("invoice", { order: 7 });
    await open(`/runs/${run}`);
    await page.sees(`no message "approval" has come`);
    const label = `document.querySelector(".picture")?.getAttribute("aria-label")`;
    await page.until(`${label}?.includes("Attempts: 3 suspended")`);
    await page.until(
      `/backing off: charge card .*; waits: let the dust settle .*; waits: approval/.test(${label})`,
    );
    await page.sees("try 2");
    // The try that failed is drawn where its attempt was.
    const tried = `[...document.querySelectorAll(".step-bar .b-failed title")].map((one) => one.textContent)`;
    assert.match((await page.value(tried)).join(), /^try 1, in attempt 1: failed, about \d+ ms$/);
    await page.click(".reasons button", "Send it");
    await page.until(`document.querySelector("dialog [name=name]").value === "approval"`);
    await page.value(`document.querySelector("dialog textarea").value = '{"cents": ${HUGE}}'`);
    await page.click("dialog button", "Send the signal");
    await page.sees("signal approval sent");
    await page.until(`document.querySelector(".run-head .s-completed")`);
    await world.until(run, "completed");
    await page.sees(String(HUGE));
    await page.click("td button.link", "charge card");
    await page.sees(`"receipt": "r-7"`);
  },
);

test("attempts that fail are told apart from the backoffs between them", options, async () => {
  const run = await world.submit("transfer", { pace: 1 }, { backoffInitialMs: 50 });
  await world.until(run, "completed");
  await open(`/runs/${run}`);
  const picture = await page.until(
    `document.querySelector(".picture")?.getAttribute("aria-label")`,
  );
  assert.match(picture, /Attempts: 2 failed, 1 completed/);
  assert.match(picture, /backing off \d+ ms/);
  assert.equal(await page.value(`document.querySelectorAll(".attempt.b-failed").length`), 2);
});

test("a fork from a step is made after a question, and shown", options, async () => {
  const run = await world.submit("transfer", { pace: 1 }, { backoffInitialMs: 10 });
  await world.until(run, "completed");
  await open(`/runs/${run}`);
  await page.click("td button.link", "give");
  await page.click("button", "Fork from this step");
  await page.click("dialog button", "Fork");
  await page.until(
    `location.pathname.startsWith("/runs/run_") && location.pathname !== "/runs/${run}"`,
  );
  const fork = (await page.value("location.pathname")).split("/").at(-1);
  assert.equal((await world.until(fork, "completed")).state, "completed");
});

test("chosen runs and all that a filter means are acted on", options, async () => {
  const later = { runAtMs: Date.now() + 3_600_000, queue: "bulk" };
  for (let n = 0; n < 4; n++) await world.submit("later", {}, later);
  await open("/runs?queue=bulk");
  await page.until(`document.querySelectorAll("tbody tr").length === 4`);
  await page.click("tbody input[type=checkbox]");
  await page.click(".bulk button", "pause 1");
  await page.click("dialog button", "Pause this run");
  await page.until(`document.querySelectorAll("tbody .s-paused").length === 1`);
  await page.click("tbody input[type=checkbox]");
  await page.click(".bulk button", "cancel");
  await page.sees("Cancel 4 runs?");
  await page.click("dialog button", "Cancel 4 runs");
  await page.until(`document.querySelectorAll("tbody .s-cancelled").length === 4`);
});

test("a queue is paused by the keyboard alone, and keeps its limits", options, async () => {
  await open("/queues");
  const button = `[...document.querySelectorAll("td button")].find((one) => one.textContent.includes("held"))`;
  await page.until(`Boolean(${button})`);
  await page.value(`${button}.focus()`);
  await page.key("Enter");
  await page.sees("Pause this queue?");
  await page.key("Tab");
  await page.until(`document.activeElement.textContent.includes("Pause the queue")`);
  await page.key("Enter");
  await page.sees("queue held paused");
  const held = async () => (await world.store.queues.list()).find((one) => one.queue === "held");
  const { paused, concurrency, concurrency_per_key } = await held();
  assert.deepEqual([paused, concurrency, concurrency_per_key], [true, 3, 2]);
  await page.until(`document.activeElement === ${button}`);
  await page.until(`${button}.textContent.includes("Resume")`);
});

test("a budget burns down with every digit of it shown, and is raised", options, async () => {
  const budget = { tokens: 5000, calls: HUGE };
  const run = await world.submit("agent", { spends: [1200, 800, 900, 1500, 3000] }, { budget });
  await open("/budgets");
  await page.until(`document.querySelector("[data-exact='${HUGE - 4n}']")`);
  await page.until(`document.querySelector("[data-exact='${HUGE}']")`);
  await page.sees("9\u2009223\u2009372\u2009036\u2009854\u2009775\u2009803");
  await open(`/runs/${run}`);
  await page.sees("waits_budget");
  await page.click("td button", "Raise tokens");
  await page.value(`document.querySelector("dialog input").value = "2400"`);
  await page.click("dialog button", "Raise the limit");
  await page.until(`document.querySelector(".run-head .s-completed")`);
});

test("markup in every text is text", options, async () => {
  const run = await world.submit(
    MARKUP,
    { [MARKUP]: MARKUP },
    { queue: MARKUP, metadata: { [MARKUP]: MARKUP } },
  );
  await world.store.queues.set(MARKUP, { concurrency: 1 });
  const worker = world.workOn(MARKUP);
  await world.until(run, "failed");
  await worker.stop();
  for (const path of ["/", "/runs", "/queues", "/owners", "/schedules", "/budgets", "/events"]) {
    await open(path);
    await page.until(`document.querySelector("h1") && !document.querySelector(".loading")`);
  }
  await open(`/runs/${run}`);
  await page.click("td button.link", "<img");
  for (const part of ["args", "metadata"]) await page.click("summary", part);
  await page.sees(MARKUP);
  assert.equal(await page.value(`document.querySelectorAll("main img, main script").length`), 0);
});

test("names of any length and direction stay in their place", options, async () => {
  await world.submit(LONG_NAME, {}, { queue: LONG_NAME });
  await world.submit(RIGHT_TO_LEFT, {}, { queue: RIGHT_TO_LEFT });
  await open("/queues");
  await page.until(`document.querySelector("td .name[title='${LONG_NAME}']")`);
  await page.sees("\\u202e");
  assert.equal(await page.value(`document.documentElement.scrollWidth <= innerWidth`), true);
});

test("characters that are not seen are shown by their numbers", options, async () => {
  const name = CONTROLS.replace("\0", "");
  const run = await world.submit(name, CONTROLS, { queue: name, metadata: { [name]: CONTROLS } });
  const hidden = `document.body.innerText.match(/(?![\\n\\t])[\\p{Cc}\\p{Cf}]/u)?.[0].codePointAt(0)`;
  for (const path of ["/queues", "/runs", `/runs/${run}`]) {
    await open(path);
    await page.sees("\\u001b[2J\\u0007\\u009b \\u00ad\\u061c\\ufeff\\ue0041");
    if (path.endsWith(run))
      for (const part of ["args", "metadata"]) await page.click("summary", part);
    assert.equal(await page.value(hidden), undefined, path);
  }
});

test(
  "a state that is not known yet is shown by its name, and breaks nothing",
  options,
  async () => {
    const run = await world.submit(
      "later",
      {},
      { runAtMs: Date.now() + 3_600_000, queue: "dreams" },
    );
    const end = await page.falsify("/api/runs", '"state":"pending"', '"state":"dreaming"');
    await open("/runs?queue=dreams");
    await page.until(`document.querySelector("tbody .s-dreaming")?.innerText.includes("dreaming")`);
    await open(`/runs/${run}`);
    await page.until(`document.querySelector(".run-head .s-dreaming")`);
    await page.sees("Timeline");
    await end();
  },
);

test("a view that breaks says so, and the others go on", options, async () => {
  const end = await page.falsify("/api/queues", '"at_least":', '"at_most":');
  await open("/queues");
  await page.sees("Cannot show this view");
  await page.until(`document.querySelector("header .counts")`);
  await page.click("nav a", "Owners");
  await page.sees(String(process.pid));
  await end();
  page.faults.splice(0);
  await open("/runs/%");
  await page.sees("Not there");
  await open("/owners");
  page.faults.splice(0);
});

test(
  "ten thousand runs are listed a hundred at a time, those that failed by a thousand",
  options,
  async (t) => {
    const many = await World.open(folder.store("many.db"));
    t.after(() => many.close());
    const items = Array.from({ length: 1000 }, (_, order) => ({
      workflow: "settle",
      args: { order },
    }));
    for (let n = 0; n < 10; n++) await many.store.runs.submitMany(items);
    many.work({ concurrency: 64 });
    const other = await Served.start(SWCTL, folder.store("many.db"));
    t.after(() => other.end("SIGKILL"));
    const tab = await chrome.page();
    await tab.open(other.address);
    await tab.until(`document.querySelector(".counts .s-failed strong")?.textContent > 1100`);
    await tab.until(`document.querySelector(".group .count")?.textContent === "1000"`);
    await tab.sees("1\u2009000 failed runs, the newest, of 1 workflow");
    assert.equal(await tab.value(`document.querySelectorAll(".group").length`), 1);
    await tab.open(`${other.origin}/runs`);
    for (let page = 0; page < 3; page++) {
      await tab.until(`document.querySelectorAll("tbody tr").length === 100`);
      const first = await tab.value(`document.querySelector("tbody a.id").title`);
      await tab.click(".pages a", "Next 100");
      await tab.until(
        `document.querySelector("tbody a.id") && document.querySelector("tbody a.id").title !== "${first}"`,
      );
    }
    await tab.close();
  },
);

test(
  "a payload of 16 MiB is fetched when it is asked for, and no more of it than fits",
  options,
  async () => {
    const run = await world.submit("later", LARGE, { runAtMs: Date.now() + 3_600_000 });
    page.answers.splice(0);
    await open(`/runs/${run}`);
    await page.sees("Timeline");
    await page.click("summary", "args");
    await page.sees("Show 16.0 MiB");
    assert.ok(!page.answers.some(({ url }) => url.includes("/payload?")));
    await page.click("details button", "Show 16.0 MiB");
    await page.sees("The first 64.0 KiB of 16.0 MiB.");
    assert.equal(
      await page.value(`document.querySelector("pre.payload").textContent.length`),
      65536,
    );
    const raw = await page.value(
      `fetch(document.querySelector("details a[target]").href).then((one) => one.text())`,
    );
    assert.equal(raw, JSON.stringify(LARGE));
  },
);

test("a run of ten thousand steps is shown a hundred at a time", options, async () => {
  const run = await world.submit("crawl", { steps: 10_000 });
  await world.until(run, "completed");
  await open(`/runs/${run}`);
  await page.sees("Steps 1 to 100 of 10000");
  assert.equal(await page.value(`document.querySelectorAll(".steps tbody tr").length`), 100);
  await page.click(".pages button", "Later");
  await page.sees("Steps 101 to 200 of 10000");
});

test("a tree of a thousand children shows those that failed first", options, async () => {
  const run = await world.submit("book", { pages: 1000 });
  await world.until(run, "completed");
  await open(`/runs/${run}`);
  await page.sees("1\u2009000 children");
  assert.match(await page.until(`document.querySelector(".tree ul li")?.textContent`), /failed/);
  assert.equal(await page.value(`document.querySelectorAll(".tree ul li").length`), 50);
  await page.click(".tree button", "Show 200 more of 1000");
  await page.until(`document.querySelectorAll(".tree ul li").length === 250`);
});

test("events come as they are appended, and owners and schedules are shown", options, async () => {
  await open("/events");
  await page.until(`document.querySelector("h1") && !document.querySelector(".loading")`);
  const last = await page.value(`document.querySelector("tbody td")?.textContent ?? "0"`);
  await world.submit("invoice", { order: 8 });
  await page.until(`Number(document.querySelector("tbody td")?.textContent) > ${last}`);
  await page.sees("charged");
  await open("/owners");
  await page.sees(String(process.pid));
  await page.sees("alive");
  await open("/schedules");
  await page.sees("nightly");
  await page.until(`document.querySelector("tbody time")?.textContent.startsWith("in ")`);
});

const VIEWS = ["/", "/runs", "/queues", "/owners", "/schedules", "/budgets", "/events"];

test("a narrow window has no need to be moved sideways, light or dark", options, async (t) => {
  t.after(() => page.size(1240, 900));
  await page.size(380, 800);
  const run = await world.submit("invoice", { order: 9 });
  await world.submit("agent", { spends: [5] }, { budget: { narrow: 4 } });
  await world.untilSignal(run);
  for (const scheme of ["light", "dark"]) {
    await page.scheme(scheme);
    for (const path of [...VIEWS, `/runs/${run}`]) {
      await open(path);
      await page.until(`document.querySelector("h1") && !document.querySelector(".loading")`);
      assert.equal(
        await page.value("document.documentElement.scrollWidth"),
        380,
        `${path} ${scheme}`,
      );
      // Nor has a table: its rows are cards.
      const cut = `[...document.querySelectorAll(".scroll")].filter((one) => one.scrollWidth > one.clientWidth).length`;
      assert.equal(await page.value(cut), 0, `${path} ${scheme}`);
    }
  }
  await page.scheme("light");
});

// What a screen reader is told: whatever can be used has a name, and the page its parts.
test(
  "all that can be used has a name, and the first Tab leads past the head",
  options,
  async () => {
    const run = await world.submit("invoice", { order: 10 });
    await world.untilSignal(run);
    for (const path of [...VIEWS, `/runs/${run}`]) {
      await open(path);
      await page.until(`document.querySelector("h1") && !document.querySelector(".loading")`);
      const { nodes } = await page.send("Accessibility.getFullAXTree");
      const used = [
        "button",
        "link",
        "textbox",
        "combobox",
        "checkbox",
        "image",
        "region",
        "navigation",
        "table",
      ];
      const shown = nodes.filter((node) => !node.ignored && used.includes(node.role?.value));
      const nameless = shown.filter(
        (node) => !node.name?.value && !["table"].includes(node.role.value),
      );
      assert.deepEqual(
        nameless.map((node) => node.role.value),
        [],
        path,
      );
      const roles = new Set(nodes.map((node) => node.role?.value));
      for (const role of ["main", "banner", "navigation", "contentinfo"])
        assert.ok(roles.has(role), `${path}: ${role}`);
    }
    await page.key("Tab");
    await page.until(`document.activeElement.textContent === "To the view"`);
  },
);

test("another name for this machine is answered by nothing", options, async () => {
  const other = await chrome.page();
  const { port } = new URL(served.origin);
  await other.open(`http://rebound.example:${port}/api/runs`);
  assert.ok((await other.text()).includes("this server has another name"));
  assert.deepEqual(
    other.answers.map(({ status }) => status),
    [421, 421].slice(0, other.answers.length),
  );
  await other.close();
});

// A page of somebody else's, which sends what a browser lets it send to any address.
async function attack(target, runId) {
  const act = JSON.stringify({ action: "cancel", run_ids: [runId] });
  const script = `
    const ways = [
      fetch("${target}/api/act", { method: "POST", mode: "no-cors", credentials: "include",
        headers: { "content-type": "text/plain" }, body: ${JSON.stringify(act)} }),
      fetch("${target}/api/act", { method: "POST", credentials: "include",
        headers: { "content-type": "application/json" }, body: ${JSON.stringify(act)} }),
      fetch("${target}/api/stats", { mode: "no-cors", credentials: "include" }),
      fetch("${target}/api/runs", { credentials: "include" }).then((one) => one.text()).then((text) => { window.read = text; }),
    ];
    Promise.allSettled(ways).then(() => {
      document.querySelector("form").submit();
      document.querySelector("iframe").onload = () => { window.tried = true; };
    });`;
  const body = `<!doctype html><form method="post" enctype="text/plain" target="in" action="${target}/api/act">
    <input name='${act.slice(0, -1)},"x":"' value='"}'></form><iframe name="in"></iframe><script>${script}</script>`;
  const server = createServer((_, answer) =>
    answer.setHeader("content-type", "text/html").end(body),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

test("a page of another site neither acts nor reads", options, async () => {
  const run = await world.submit("later", {}, { runAtMs: Date.now() + 3_600_000 });
  const server = await attack(served.origin, run);
  const other = await chrome.page();
  // Another port of this machine is the same site, and sends the cookie; another name is another site.
  for (const host of ["127.0.0.1", "elsewhere.example"]) {
    await other.open(`http://${host}:${server.address().port}/`);
    await other.until("window.tried");
    assert.equal(await other.value("window.read"), undefined, host);
    assert.equal((await world.store.runs.get(run)).state, "pending", host);
    const answered = other.answers.filter(({ url }) => url.startsWith(served.origin));
    assert.ok(
      answered.length > 0 && answered.every(({ status }) => status >= 400),
      JSON.stringify(answered),
    );
  }
  await other.close();
  server.close();
});

test("a store without runs says so on every view", options, async (t) => {
  const empty = await World.open(folder.store("empty.db"));
  t.after(() => empty.close());
  const reads = await Served.start(SWCTL, folder.store("empty.db"));
  t.after(() => reads.end("SIGKILL"));
  const other = await chrome.page();
  await other.open(reads.address);
  await other.sees("No run has failed.");
  await other.sees("only reads");
  const said = [
    "No run was submitted yet.",
    "No queue was used yet.",
    "Nobody claims",
    "No schedule is set.",
    "None of them has a budget",
    "Nothing was appended yet.",
  ];
  for (const [at, path] of VIEWS.slice(1).entries()) {
    await other.open(reads.origin + path);
    await other.sees(said[at]);
  }
  await other.open(`${reads.origin}/runs/run_00000000000000000000000000`);
  await other.sees("Not there");
  await other.close();
});

test(
  "a page tells that its server is gone, and how to be let in to the next",
  options,
  async (t) => {
    const first = await Served.start(SWCTL, file);
    const { port } = new URL(first.origin);
    const other = await chrome.page();
    await other.open(first.address);
    await other.sees("live");
    await first.end();
    await other.sees("not connected");
    await other.sees("the server does not answer");
    const second = await Served.start(SWCTL, file, "--listen", `127.0.0.1:${port}`);
    t.after(() => second.end("SIGKILL"));
    await other.open(`${second.origin}/runs`);
    await other.sees("Not let in");
    await other.open(second.address);
    await other.sees("live");
    await other.close();
  },
);
