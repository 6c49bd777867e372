/** Four questions to a model that is busy now and then; the first worker dies on the way. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { type Attempt, Failure, Store, type WorkerEvent } from "smolwf";

const PROMPTS = ["plan", "search", "read", "write"];
const RETRY_MS = 50;

interface Answer {
  text: string;
}

async function ask(port: string, prompt: string, signal: AbortSignal): Promise<Answer> {
  const url = `http://127.0.0.1:${port}/${prompt}`;
  const response = await fetch(url, { method: "POST", signal });
  if (!response.ok) throw new Failure({ status: response.status }, { retryAfterMs: RETRY_MS });
  return (await response.json()) as Answer;
}

/** A worker process; the first one dies as soon as it has read. */
async function worker(path: string, name: string, port: string): Promise<void> {
  const say = (text: string): void => console.log(`worker ${name}: ${text}`);
  const question = async (attempt: Attempt, prompt: string): Promise<Answer> => {
    let said = `${prompt} replayed`;
    const work = async (): Promise<Answer> => {
      said = `${prompt} busy, again in ${RETRY_MS} ms`;
      const answer = await ask(port, prompt, attempt.signal);
      said = `${prompt} asked`;
      return answer;
    };
    try {
      return await attempt.step(prompt, work, { kind: "model" });
    } finally {
      say(said);
    }
  };
  const answer = async (attempt: Attempt): Promise<Answer | undefined> => {
    let last: Answer | undefined;
    for (const prompt of PROMPTS) {
      last = await question(attempt, prompt);
      if (name === "1" && prompt === "read") process.kill(process.pid, "SIGKILL");
    }
    return last;
  };
  await using store = await Store.open(path);
  const stop = new AbortController();
  const onEvent = ({ event }: WorkerEvent): void => {
    if (event === "completed") stop.abort();
  };
  await store.work({ answer }, { signal: stop.signal, hooks: { onEvent }, log: "off" });
}

/** Stands for the model: answers in 20 ms, and is busy at the first search and the first write. */
function model(answered: Map<string, number>): Server {
  const busy = new Set(["search", "write"]);
  return createServer((request, response) => {
    const prompt = request.url?.slice(1) ?? "";
    if (busy.delete(prompt)) {
      response.writeHead(503).end();
      return;
    }
    answered.set(prompt, (answered.get(prompt) ?? 0) + 1);
    setTimeout(() => response.end(JSON.stringify({ text: `${prompt} done` })), 20);
  });
}

async function runWorker(path: string, name: string, port: number): Promise<unknown[]> {
  const program = fileURLToPath(import.meta.url);
  const args = [program, path, "worker", name, String(port)];
  return once(spawn(process.execPath, args, { stdio: "inherit" }), "exit");
}

async function main(path: string): Promise<void> {
  const answered = new Map<string, number>();
  const server = model(answered).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await using store = await Store.open(path);
  await store.init();
  const { runId } = await store.runs.submit("answer");
  assert.deepEqual(await runWorker(path, "1", port), [null, "SIGKILL"]);
  console.log("worker 1 was killed");
  assert.deepEqual(await runWorker(path, "2", port), [0, null]);
  const run = await store.runs.get<Answer>(runId);
  console.log(`the answer is ${JSON.stringify(run.result)}`);
  assert.deepEqual(
    [...answered],
    PROMPTS.map((prompt) => [prompt, 1]),
  );
  console.log(`the model answered ${answered.size} prompts, each once`);
  server.close();
  server.closeAllConnections();
}

const [path = "agent.db", mode, name = "", port = ""] = process.argv.slice(2);
await (mode === "worker" ? worker(path, name, port) : main(path));
