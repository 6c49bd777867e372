/** Asks an expensive question once. Run it with "crash", then without, then without again. */
import { Store } from "smolwf";

async function askTheModel(): Promise<{ answer: number }> {
  console.log("asking the model"); // stands for the call that costs money
  return { answer: 42 };
}

/** As the other languages print it. */
const shown = (answer: { answer: number }): string => JSON.stringify(answer).replace(":", ": ");

const [path = "quickstart.db", mode] = process.argv.slice(2);
await using store = await Store.open(path);
await store.init();

// One key is one run, however often this program is started.
await store.runs.submit("ask", "why?", { idempotencyKey: "question 1" });

// Whoever claims the run works on it. If its worker is killed, it is free again within a second.
const attempt = await store.runs.claim({ waitMs: 1000 });
if (!attempt) {
  console.log("nothing to do: the run has ended");
} else {
  let isAsked = false;
  await attempt.perform(async () => {
    const answer = await attempt.step("answer", () => {
      isAsked = true;
      return askTheModel();
    });
    // From here on, no crash can lose it.
    console.log(`${isAsked ? "recorded" : "replayed, not asked again"}: ${shown(answer)}`);
    if (mode === "crash") process.kill(process.pid, "SIGKILL"); // the run is not finished
    return answer;
  });
  console.log("the run is finished");
}
