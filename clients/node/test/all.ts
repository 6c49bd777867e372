/** Runs every suite beside this file; prints what failed or was skipped, and the counts at the end. */
import { readdirSync } from "node:fs";
import { cpus } from "node:os";
import { run } from "node:test";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";

/** Milliseconds after which a file of tests is one that hangs. */
const TIMEOUT_MS = 240_000;

const FOLDER = new URL("./", import.meta.url);
const asked = process.argv.slice(2);
const isAsked = (name: string): boolean =>
  asked.length === 0 || asked.some((one) => name.startsWith(one));
const names = readdirSync(FOLDER).filter((name) => name.endsWith(".test.js") && isAsked(name));
const files = names.sort().map((name) => fileURLToPath(new URL(name, FOLDER)));

const counts = { passed: 0, failed: 0, skipped: 0 };
const results = run({ files, concurrency: Math.min(cpus().length, 4), timeout: TIMEOUT_MS });
results.on("test:pass", (event) => {
  if (event.skip === undefined) counts.passed += 1;
  else {
    counts.skipped += 1;
    console.log(`skipped: ${event.name}: ${event.skip}`);
  }
});
results.on("test:fail", (event) => {
  counts.failed += 1;
  const { error } = event.details;
  // Of a file that ended otherwise than its tests did, the cause is a word: the code or the signal says more.
  const shown = typeof error.cause === "object" ? error.cause : error;
  console.log(`FAILED: ${event.name}\n${inspect(shown)}`);
});
results.on("test:stdout", (event) => process.stdout.write(event.message));
results.on("test:stderr", (event) => process.stderr.write(event.message));
results.on("end", () => {
  const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : "";
  process.exitCode = counts.failed > 0 ? 1 : 0;
  console.log(`node: ${counts.passed} passed, ${counts.failed} failed${skipped}`);
});
results.resume();
