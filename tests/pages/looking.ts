import { Store, workflow } from "smolwf";

const greet = workflow("greet", () => "hello");
const shown: unknown[] = [];
const ending = new AbortController();
const show = (payload: unknown): void => {
  shown.push(payload);
  ending.abort(new Error("enough"));
};
const dayMs = 24 * 3_600_000;
await using store = await Store.openInMemory();
await store.init();
const { runId } = await store.runs.submit(greet, null, { maxTries: 1 });
const claimed = await store.runs.claim();
await claimed?.event("progress", 1);
await claimed?.fail(new Error("503"));
const monthAgo = Date.now() - 30 * dayMs;
const signal = ending.signal;
try {
  // HERE
  console.log(open, reasons.length);
} catch (error) {
  if (error !== signal.reason) throw error;
}
if (shown.join() !== "1") throw new Error(`shown ${shown}`);
