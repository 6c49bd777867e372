/** Tests of workflows: one to which a crash does nothing, and what is to be said of a test itself. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { Store } from "../src/index.js";
import { CrashReport, crash, effect } from "../src/testing/index.js";
import { load, moduleUrl } from "../src/testing/module.js";
import { sharedExecArgv } from "../src/testing/process.js";
import { folder } from "./support.js";

const SHOP = new URL("./crashed/shop.ts", import.meta.url);
const FAULTS = new URL("./crashed/faults.ts", import.meta.url);

/** What it makes: claims 4, ends and parks 4, steps 2, the sleep 2, and each of the other calls 1. */
const COMMITS = 17;

test("a workflow that keeps its word has no finding, and is killed before and after each commit", async () => {
  const args = { cents: 500 };
  const signals = [["address", "Ada"]] as const;
  const report = await crash(SHOP, { workflow: "order", args, signals, compareResult: true });
  report.check();
  const whole = { commits: COMMITS, cases: 1 + 2 * COMMITS, findings: [] };
  assert.deepEqual(JSON.parse(JSON.stringify(report)), whole);
  assert.equal(String(report), "order: 17 commits, 35 cases, no findings");
});

test("a run that does not end as it should where nobody is killed is an error", async () => {
  const run = (workflow: string, options: object = {}): Promise<CrashReport> =>
    crash(FAULTS, { workflow, ...options });
  const failed = "the clean run of fails is failed: no such customer";
  await assert.rejects(run("fails", { maxTries: 1 }), { name: "CleanRunFailed", message: failed });
  const stuck = /^the clean run of waits did not end: .*"go"/;
  await assert.rejects(run("waits"), { name: "CleanRunFailed", message: stuck });
  const strays = /no workflow "elsewhere" is exported by the module$/;
  await assert.rejects(run("strays"), { name: "CleanRunFailed", message: strays });
  const absent = crash(new URL("./absent.js", import.meta.url), { workflow: "order" });
  await assert.rejects(absent, /did not end: its process ended with exit status 1.*Cannot find/);
  await assert.rejects(run("repeats", { atOnce: 0 }), /^RangeError: atOnce is 0: /);
  const many = /^repeats makes more than 2 commits: raise maxCommits, or test a smaller part/;
  await assert.rejects(run("repeats", { maxCommits: 2 }), { name: "RangeError", message: many });
});

test("a run that has to fail is held to that", async () => {
  const report = await crash(FAULTS, { workflow: "fails", state: "failed", maxTries: 1 });
  assert.equal(String(report), "fails: 2 commits, 5 cases, no findings");
});

/** What loads TypeScript for a test is given to its processes by Node's options. */
const LOADER = `import { register } from "node:module";
register("./hooks.mjs", import.meta.url);`;

const HOOKS = `import { readFileSync } from "node:fs";
import { transformSync } from ${JSON.stringify(import.meta.resolve("esbuild"))};
export async function load(url, context, next) {
  if (!url.endsWith(".ts")) return next(url, context);
  const { code } = transformSync(readFileSync(new URL(url), "utf8"), { loader: "ts" });
  return { format: "module", source: code, shortCircuit: true };
}`;

const TYPED = `enum Paid { Yes = 1 }
export const order = (_: any): Paid => Paid.Yes;`;

test("the processes load what the test loads, also one that Node was given as a text", async (t) => {
  const at = folder(t);
  const write = (name: string, text: string): void => writeFileSync(join(at, name), text);
  write("loader.mjs", LOADER);
  write("hooks.mjs", HOOKS);
  write("orders.ts", TYPED);
  const kit = JSON.stringify(new URL("../src/testing/index.js", import.meta.url));
  const script = `const { crash } = await import(${kit});
    console.log(String(await crash("orders.ts", { workflow: "order" })));`;
  const args = ["--import", "./loader.mjs", "--input-type=module", "-e", script];
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: at, encoding: "utf8" });
  assert.deepEqual([stderr, stdout], ["", "order: 2 commits, 5 cases, no findings\n"]);
  write("orders.unknown", TYPED);
  const unknown = crash(join(at, "orders.unknown"), { workflow: "order" });
  const hint =
    /does not import file:.*orders.unknown as it is: compile it, or name what loads it in execArgv/;
  await assert.rejects(unknown, { name: "CleanRunFailed", message: hint });
});

test("options that are the test's own are not shared", () => {
  const own = [
    "--test",
    "--test-name-pattern=a",
    "--inspect-brk=9229",
    "--watch",
    "--input-type=module",
  ];
  const argv = ["--import", "tsx", ...own, "-e", "1 + 1", "--conditions=dev", "--eval=2"];
  assert.deepEqual(sharedExecArgv(argv), ["--import", "tsx", "--conditions=dev"]);
});

test("a module's exports are its workflows, by the names that they know", async (t) => {
  const at = join(folder(t), "several.mjs");
  const index = JSON.stringify(new URL("../src/index.js", import.meta.url));
  const text = `import { workflow } from ${index};
    export const first = workflow("order", () => 1, { codeVersion: "2" });
    export async function second() {}
    export const third = { run() {}, codeVersion: "3" };
    export const workflows = { fourth() {}, order: first };
    export const setup = () => 5;
    export const other = 6;
    export default 7;`;
  writeFileSync(at, text);
  const { workflows, setup } = await load(moduleUrl(at));
  const versions = [...workflows].map(([name, { codeVersion }]) => [name, codeVersion]);
  const expected = [
    ["order", "2"],
    ["second", undefined],
    ["third", "3"],
    ["fourth", undefined],
  ];
  assert.deepEqual(versions, expected);
  assert.equal(setup?.({} as Store), 5);
  writeFileSync(`${at}2.mjs`, text.replace("order: first", "order() {}"));
  await assert.rejects(
    load(moduleUrl(`${at}2.mjs`)),
    /exports two workflows that are named order$/,
  );
});

test("a module that does tests itself begins no crash tests in its processes", async (t) => {
  const at = join(folder(t), "nested.mjs");
  const kit = JSON.stringify(new URL("../src/testing/index.js", import.meta.url));
  const text = `import { crash } from ${kit};
    await crash(import.meta.url, { workflow: "order" });
    export const order = () => null;`;
  writeFileSync(at, text);
  const nested = /crash is called in a process of a crash test: name a module without tests$/;
  await assert.rejects(crash(at, { workflow: "order" }), { message: nested });
});

test("outside of a crash test an effect does nothing", () => {
  assert.equal(process.env["SMOLWF_WITNESS"], undefined);
  effect("charge");
});

test("a text shows the first twenty findings", () => {
  const findings = Array.from({ length: 23 }, (_, n) => {
    const name = `step ${n}`;
    return { kind: "not_replayed", commit: 1, moment: "after", name, text: "why" } as const;
  });
  const lines = String(new CrashReport("order", 2, findings)).split("\n");
  assert.equal(lines[0], "order: 2 commits, 5 cases, 23 findings");
  assert.equal(lines[1], "not_replayed step 0, at 1 of 4 kill points, first after commit 1: why");
  assert.deepEqual(lines.slice(20), [
    "not_replayed step 19, at 1 of 4 kill points, first after commit 1: why",
    "and 3 more",
  ]);
});

/** Works for ever, and tells which process does, in which folder. */
const ENDLESS = `import { writeFileSync } from "node:fs";
export function order() {
  const works = process.env.SMOLWF_WITNESS + " " + process.pid;
  writeFileSync(new URL("./works", import.meta.url), works);
  return new Promise((resolve) => setTimeout(resolve, 3_600_000));
}`;

/** Whether a process is there; one that nobody has waited for yet is not. */
function lives(pid: string): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
}

test("a process does not outlive the test that began it, nor do its files", async (t) => {
  const at = folder(t);
  writeFileSync(join(at, "endless.mjs"), ENDLESS);
  const kit = JSON.stringify(new URL("../src/testing/index.js", import.meta.url));
  const script = `const { crash } = await import(${kit});
    await crash("endless.mjs", { workflow: "order" });`;
  const args = ["--input-type=module", "-e", script];
  const child = spawn(process.execPath, args, { cwd: at, stdio: "inherit" });
  t.after(() => child.kill("SIGKILL"));
  const path = join(at, "works");
  const told = (): string => (existsSync(path) ? readFileSync(path, "utf8") : "");
  // It works in a process of its own, for ever, and ends soon.
  while (!/ \d+$/.test(told()) && child.exitCode === null) await pause(20);
  const [witness = "", pid = ""] = told().split(" ");
  assert.ok(lives(pid));
  child.kill("SIGKILL");
  while (lives(pid)) await pause(20);
  assert.ok(!existsSync(join(witness, "../..")));
});
