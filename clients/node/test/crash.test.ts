/** Faults that are planted in workflows, and what a crash test finds of them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type CrashOptions, type CrashReport, crash, type Finding } from "../src/testing/index.js";

const FAULTS = new URL("./crashed/faults.ts", import.meta.url);

/** What is found of one of the faults, by kind and name. */
async function found(
  workflow: string,
  options: Omit<CrashOptions, "workflow"> = {},
): Promise<{ report: CrashReport; kinds: string[]; first: Finding }> {
  const report = await crash(FAULTS, { workflow, atOnce: 1, ...options });
  const kinds = [...new Set(report.findings.map((one) => `${one.kind} ${one.name}`))];
  const [first] = report.findings;
  assert.ok(first, `nothing was found: ${report}`);
  assert.throws(() => report.check(), { name: "AssertionError", message: String(report) });
  return { report, kinds, first };
}

/** What is found where a second attempt does something else, which is never without a kill. */
async function changed(how: string, options: Partial<CrashOptions> = {}): Promise<string> {
  const { report, first, kinds } = await found("changes", { args: how, ...options });
  assert.deepEqual(kinds, [`${first.kind} changes`]);
  assert.deepEqual([first.commit, first.moment], [1, "after"], "the claim is recorded by then");
  assert.equal(report.commits, 2);
  return `${first.kind}: ${first.text}`;
}

describe("what is planted is found", { concurrency: 3 }, () => {
  // The first, as it waits while the others work.
  test("a process that hangs is ended, and the test with it", async () => {
    const hanging = { args: "hangs", hangMs: 10_000 };
    const { report, first } = await found("changes", hanging);
    const text = "the run did not end: its process was at work for more than 10 s";
    assert.deepEqual([first.kind, first.text], ["stuck", text]);
    assert.deepEqual([first.commit, first.moment, report.findings.length], [1, "after", 1]);
  });

  test("what is done without a key, under a drawn one, or outside of a step is done twice", async () => {
    const { report, kinds } = await found("repeats");
    assert.deepEqual(kinds, ["effect_twice mail", "effect_twice charge", "effect_twice pay"]);
    const of = (name: string): Finding[] => report.findings.filter((one) => one.name === name);
    assert.deepEqual(of("charge"), [
      {
        kind: "effect_twice",
        commit: 2,
        moment: "before",
        name: "charge",
        text:
          'effect "charge" happened 2 times, and once in the clean run: hand whoever does it an idempotency key, ' +
          "such as the step's id, or record its start: a tracked step with maxTries 1",
      },
    ]);
    const drawn =
      /^effect "pay" happened under 2 keys \("0[^"]+", "0[^"]+"\), and under 1 in the clean run: the key/;
    assert.match(`${of("pay")[0]?.text}`, drawn);
    // All but around the claim, when it has not begun, and after the end.
    assert.equal(of("mail").length, 2 * report.commits - 3);
    const [head, , line] = String(report).split("\n");
    assert.equal(head, "repeats: 4 commits, 9 cases, 3 findings");
    const where = "effect_twice charge, at 1 of 8 kill points, first before commit 2: ";
    assert.equal(line, where + of("charge")[0]?.text);
  });

  for (const [workflow, name] of [
    ["drawnName", /^at \d+ draw 0\./],
    ["branches", /^with it$/],
  ] as const) {
    test(`what ${workflow} does not replay is named`, async () => {
      const { report, first } = await found(workflow);
      assert.ok(report.findings.every((one) => one.kind === "not_replayed"));
      assert.match(first.name, name);
      const advice = /: what a workflow does must follow from its args and from what is recorded; /;
      assert.match(first.text, advice);
    });
  }

  test("a step that is begun with another input is named, whoever catches that", async () => {
    const { kinds, first } = await found("drawnInput");
    assert.deepEqual(kinds, ["input_changed charge"]);
    assert.match(first.text, /input hash \w+, it is begun with \w+: an input must follow from /);
  });

  test("code that does not replay without any kill is found at once", async () => {
    const { report, first } = await found("drawnBeforeSleep");
    assert.deepEqual([report.commits, report.cases, report.findings.length], [0, 1, 1]);
    assert.deepEqual([first.kind, first.commit, first.moment], ["not_replayed", 0, "clean"]);
    const [head, line] = String(report).split("\n");
    assert.equal(head, "drawnBeforeSleep: no commits, 1 case, 1 finding");
    assert.match(`${line}`, /^not_replayed draw 0\.\d+, without a kill: step "draw /);
  });

  test("what is kept in memory is lost", async () => {
    const { kinds, report } = await found("forgets", { compareResult: true });
    assert.deepEqual(kinds.sort(), ["effect_missing letter", "outcome forgets"]);
    const texts = new Set(report.findings.map((one) => one.text));
    assert.deepEqual([...texts].sort(), [
      'effect "letter" happened never, and once in the clean run',
      "the result is 0, and 1 in the clean run",
    ]);
  });

  test("a failure that is swallowed leaves out what follows", async () => {
    const { kinds, first } = await found("swallows");
    assert.deepEqual(kinds, ["effect_missing charge", "effect_missing ship"]);
    assert.deepEqual([first.commit, first.moment], [2, "after"], "its start is recorded by then");
  });

  test("a run that fails has another outcome, with its error", async () => {
    const failed = "outcome: the run is failed, and completed in the clean run: no such customer";
    assert.equal(await changed("fails"), failed);
  });

  test("a run that waits for what nobody sends is stuck, with why", async () => {
    assert.match(await changed("waits"), /^stuck: the run did not end: .*"gone"/);
  });

  test("a process that ends by itself is told of, with what it said", async () => {
    const how = "its process ended with exit status 1, and said: RangeError: out of a timer";
    assert.equal(await changed("throws"), `outcome: the run did not end: ${how}`);
  });

  test("a promise that nothing settles is stuck", async () => {
    const how = "its process awaits what nothing will settle";
    assert.equal(await changed("settles"), `stuck: the run did not end: ${how}`);
  });
});
