import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Store } from "../src/index.js";
import { place } from "./support.js";

/** Milliseconds after which a program is killed that does not end. */
const TIMEOUT_MS = 45_000;

const EXAMPLES = new URL("../../../../examples/", import.meta.url);

function expected(program: string): string {
  return readFileSync(new URL(`expected/${program}.txt`, EXAMPLES), "utf8");
}

/** Runs a program of examples/node; resolves to what it printed, without its measurements. */
async function output(program: string, ...args: string[]): Promise<string> {
  return outputOf(new URL(`node/dist/${program}.js`, EXAMPLES), ...args);
}

async function outputOf(url: URL, ...args: string[]): Promise<string> {
  const program = fileURLToPath(url);
  const child = spawn(process.execPath, [program, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    timeout: TIMEOUT_MS,
  });
  const [printed, complaints] = await Promise.all([text(child.stdout), text(child.stderr)]);
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  const isCrash = args.includes("crash") && child.signalCode === "SIGKILL";
  assert.ok(
    child.exitCode === 0 || isCrash,
    `${program} ended with ${child.exitCode}: ${complaints}`,
  );
  assert.equal(complaints, "");
  return printed.replace(/^# .*\n/gm, "");
}

test("program: quickstart prints what it prints in every language", async (t: TestContext) => {
  const path = place(t, "quickstart.db");
  let printed = "";
  for (const mode of ["crash", "", ""]) {
    printed += `$ quickstart ${mode}`.trimEnd();
    printed += `\n${await output("quickstart", path, mode)}`;
  }
  assert.equal(printed, expected("quickstart"));
});

for (const program of ["approval", "fanout", "budget", "agent", "transfer"]) {
  test(`program: ${program} prints what it prints in every language`, async (t) => {
    assert.equal(await output(program, place(t, `${program}.db`)), expected(program));
  });
}

async function transfersDone(store: Store): Promise<number> {
  const sql = "SELECT count(*) FROM moves";
  const { rows } = await store.query<[number]>(sql).catch(() => ({ rows: [] }));
  return rows[0]?.[0] ?? 0; // before the program has made its table, none
}

test("program: transfer moves all money once, however often it is killed", async (t) => {
  const path = place(t, "transfer.db");
  await using store = await Store.open(path);
  await store.init();
  const program = fileURLToPath(new URL("node/dist/transfer.js", EXAMPLES));
  let kills = 0;
  for (let least = 5; least < 90; least += 15) {
    const child = spawn(process.execPath, [program, path], { stdio: "ignore" });
    const ended = once(child, "exit");
    while (child.exitCode === null && (await transfersDone(store)) < least) await pause(1);
    child.kill("SIGKILL");
    const [, signal] = await ended;
    if (signal === "SIGKILL") kills += 1;
  }
  assert.ok(kills > 0, "the program was never killed");
  assert.equal(await output("transfer", path), expected("transfer"));
  assert.equal(await output("transfer", path), expected("transfer"));
});

/** As it stands: it is no TypeScript. */
const TRACING = new URL("node/tracing.js", EXAMPLES);

test("program: tracing continues the trace of a request in the steps of its run", async (t) => {
  const printed = await outputOf(TRACING, place(t, "tracing.db"));
  const lines = [
    "a bicycle is on its way",
    "POST /orders",
    "  attempt 1: parked",
    "    step pay: the bank is busy",
    "  attempt 2: parked",
    "    step pay",
    "  attempt 3: completed",
    "    step ship",
    "7 spans in 1 trace",
  ];
  assert.deepEqual(printed.trimEnd().split("\n"), lines);
});
