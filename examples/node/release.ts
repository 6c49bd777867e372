/** Sends each run of examples/polyglot its signal, once, and waits for its end. Started again, it
 * sends again: the key delivers once. usage: release.js database run_id... */
import { Store } from "smolwf";

const [path = "polyglot.db", ...runIds] = process.argv.slice(2);
await using store = await Store.open(path);
for (const runId of runIds) {
  await store.signals.send(runId, "release", { by: "node" }, "once");
  await store.runs.wait(runId);
}
