/** The scenarios that every client's worker plays: tests/vectors/worker. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { known } from "./acts.js";
import { SERVER } from "./support.js";
import { type Scenario, World } from "./world.js";

const FOLDER = new URL("../../../../tests/vectors/worker/", import.meta.url);
const hasPython = spawnSync("python3", ["-c", "import sqlite3"]).status === 0;

const isPooled = SERVER?.includes("sw_pooler=transaction") ?? false;
const files = readdirSync(FOLDER).filter((name) => name.endsWith(".json"));

/** Why a scenario cannot be played here; with SW_REQUIRE_ALL=1 it is played and fails. */
function skipped({ world }: Scenario): string | false {
  const needsPython = world.some((act) => "lock" in act) && process.env["SW_REQUIRE_ALL"] !== "1";
  return needsPython && !hasPython && "python3 with sqlite3 is missing";
}

for (const file of files.sort()) {
  const text = readFileSync(new URL(file, FOLDER), "utf8");
  const { scenarios } = known(JSON.parse(text) as { scenarios: Scenario[] }, ["scenarios"]);
  for (const scenario of scenarios) {
    const reasons = scenario.not_in ?? {};
    const onServer = SERVER === undefined ? undefined : reasons["postgres"];
    const why = reasons["node"] ?? onServer ?? (isPooled ? reasons["pooler"] : undefined);
    if (why !== undefined) console.log(`# not in node: ${scenario.name}: ${why}`);
    else {
      const { name } = scenario;
      test(`scenario: ${name}`, { skip: skipped(scenario) }, (t) => World.play(t, scenario));
    }
  }
}

test("there are scenarios", () => assert.ok(files.length > 0));
