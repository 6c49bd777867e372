import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { folder, needs } from "./support.js";

const EXPECTED = new URL("../../../expected/", import.meta.url);

function expected(program: string): string {
  return readFileSync(new URL(`${program}.txt`, EXPECTED), "utf8");
}

/** Runs a program of this package; resolves to what it printed, without its measurements. */
async function output(program: string, ...args: string[]): Promise<string> {
  const path = fileURLToPath(new URL(`../programs/${program}.js`, import.meta.url));
  const child = spawn(process.execPath, [path, ...args], { stdio: ["ignore", "pipe", "pipe"] });
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
  const path = join(folder(t), "quickstart.db");
  let printed = "";
  for (const mode of ["crash", "", ""]) {
    printed += `$ quickstart ${mode}`.trimEnd();
    printed += `\n${await output("quickstart", path, mode)}`;
  }
  assert.equal(printed, expected("quickstart"));
});

const NEEDED = {
  approval: "sw_signal_await",
  agent: "sw_attempt_suspend",
};

for (const [program, name] of Object.entries(NEEDED)) {
  test(`program: ${program} prints what it prints in every language`, needs(name), async (t) => {
    assert.equal(await output(program, join(folder(t), `${program}.db`)), expected(program));
  });
}
