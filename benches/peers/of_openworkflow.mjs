// The work of a peer: steps of one workflow, and short workflows through a worker, in OpenWorkflow on SQLite.
//   node of_openworkflow.mjs <folder> <seconds>    prints what it did a second, as JSON
import { join } from "node:path";
import { OpenWorkflow } from "openworkflow";
import { BackendSqlite } from "openworkflow/sqlite";

const [folder, text] = process.argv.slice(2);
const seconds = Number(text);
const RESULT = { text: "y".repeat(189) };
// Through the worker at once, so that how often it looks there weighs little.
const RUNS = 200;

const backend = BackendSqlite.connect(join(folder, "peer.sqlite"));
const engine = new OpenWorkflow({ backend });
const now = () => performance.now() / 1000;

// A workflow may have a thousand steps at most there, so there are as many workflows as it takes.
const steps = engine.defineWorkflow({ name: "steps" }, async ({ input, step }) => {
  const began = now();
  let done = 0;
  while (now() - began < input.seconds && done < 900) {
    await step.run({ name: `step-${done}` }, async () => RESULT);
    done += 1;
  }
  return { done, spent: now() - began };
});

// Who asks for a result asks once a second there, so the workflow itself says when all of them have come.
let left = 0;
let allCame = () => {};
const nothing = engine.defineWorkflow({ name: "nothing" }, async () => {
  left -= 1;
  if (left === 0) allCame();
  return true;
});

async function manySteps(left) {
  let done = 0;
  let spent = 0;
  while (spent < left) {
    const handle = await steps.run({ seconds: left - spent });
    const told = await handle.result();
    done += told.done;
    spent += told.spent;
  }
  return done / spent;
}

async function throughTheWorker() {
  const began = now();
  let done = 0;
  while (now() - began < seconds) {
    left = RUNS;
    const came = new Promise((resolve) => {
      allCame = resolve;
    });
    for (let run = 0; run < RUNS; run += 1) await nothing.run({});
    await came;
    done += RUNS;
  }
  return done / (now() - began);
}

// With one place it sleeps after each workflow, a tenth of a second, and with many only when it finds none.
const worker = engine.newWorker({ concurrency: 100 });
await worker.start();
await manySteps(0.2);
console.log(JSON.stringify({ steps: await manySteps(seconds), runs: await throughTheWorker() }));
await worker.stop();
await backend.stop();
