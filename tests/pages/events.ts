import { Store, type WorkerEvent, workflow } from "smolwf";

const steps: unknown[] = [];
const errors: unknown[] = [];
const histogram = { record: (_: number, of: { step: string }) => steps.push(of.step) };
const logger = { error: (of: { run: string; error: unknown }, _: string) => errors.push(of.error) };
const end = new AbortController();
const greet = workflow("greet", async (attempt) => {
  await attempt.step("write", () => "hello");
  end.abort();
  throw new Error("ends the run");
});
await using store = await Store.openInMemory();
await store.init();
await store.runs.submit(greet, null, { maxTries: 1 });
const working = (async () => {
  // HERE
})();
while (errors.length === 0) await store.changed(0, { timeoutMs: 10 });
process.exit(steps.join() === "write" ? 0 : 1);
await working;
