/** The program of a process of a crash test: works on one store, and may be killed at a commit. */
import { rmSync, writeFileSync } from "node:fs";
import { Store } from "../store.js";
import type { Came, Job } from "./came.js";
import { load } from "./module.js";
import { work } from "./work.js";

/** No kill but a loss of power asks for more, which is not what is played here. */
const OPEN = { manualClock: true, noCreate: true, durability: "process" } as const;

async function main(job: Job): Promise<void> {
  const { workflows, setup } = await load(job.module);
  const store = await Store.open(job.store, OPEN);
  await setup?.(store);
  await store.killAt(job.commit, { after: job.isAfter });
  const came: Came = await work(store, job.runId, workflows);
  await store.killAt(0);
  writeFileSync(job.answer, JSON.stringify(came));
  // What the code has left open does not keep it, and nobody needs the store any more.
  process.exit();
}

const job = JSON.parse(process.argv[2] ?? "{}") as Job;
// The pipe ends with the test that began this: nobody waits for the answer, or clears up.
process.stdin.on("close", () => {
  rmSync(job.folder, { recursive: true, force: true });
  process.exit(1);
});
process.stdin.resume().unref();
await main(job);
