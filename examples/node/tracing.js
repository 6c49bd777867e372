/** Spans of OpenTelemetry made of a worker's events: one trace from a request to its run's steps.
 * JavaScript, so that the folder compiles where OpenTelemetry is not installed. */
import { ROOT_CONTEXT, SpanStatusCode, trace } from "@opentelemetry/api";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { Store, workflow } from "smolwf";

const exporter = new InMemorySpanExporter();
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
const tracer = provider.getTracer("orders");

/** Spans under way: of attempts by their id, of steps by attempt and step, as a step is tried again. */
const spans = new Map();

function traceparentOf(span) {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return `00-${traceId}-${spanId}-0${traceFlags}`;
}

/** Returns the context that a traceparent names, as it was submitted in the run's metadata. */
function contextOf(metadata) {
  const [, traceId, spanId, flags] = metadata?.traceparent?.split("-") ?? [];
  if (!traceId || !spanId || !flags) return ROOT_CONTEXT;
  const remote = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  return trace.setSpanContext(ROOT_CONTEXT, remote);
}

function begin(key, name, parent = ROOT_CONTEXT) {
  spans.set(key, tracer.startSpan(name, {}, parent));
}

function end(key, error) {
  const span = spans.get(key);
  const message = error?.message ?? JSON.stringify(error);
  if (error !== undefined) span?.setStatus({ code: SpanStatusCode.ERROR, message });
  span?.end();
  spans.delete(key);
}

function onEvent(event) {
  if (event.run_id === null) return;
  const { attempt_id: attempt } = event;
  if (event.event === "claimed") {
    begin(attempt, `attempt ${event.attempt}`, contextOf(event.metadata));
  } else if (event.event === "step_run") {
    const parent = spans.get(attempt);
    const context = parent && trace.setSpan(ROOT_CONTEXT, parent);
    begin(attempt + event.step_id, `step ${event.step}`, context);
  } else if (event.event === "step_done") end(attempt + event.step_id);
  else if (event.event === "step_failed") end(attempt + event.step_id, event.error);
  else if (event.event === "delayed") spans.get(attempt)?.addEvent(`${event.call} is delayed`);
  else {
    spans.get(attempt)?.setAttribute("smolwf.end", event.event);
    end(attempt, "error" in event ? event.error : undefined);
  }
}

let asked = 0;
const order = workflow("order", async (attempt, item) => {
  await attempt.step(
    "pay",
    () => {
      asked += 1;
      if (asked === 1) throw new Error("the bank is busy");
    },
    { backoffInitialMs: 1 },
  );
  await attempt.sleep("cool-off", 1);
  return attempt.step("ship", () => `${item} is on its way`);
});

function print(parent, indent = "") {
  const { code, message } = parent.status;
  const said = code === SpanStatusCode.ERROR ? `: ${message}` : "";
  const ended = parent.attributes["smolwf.end"];
  console.log(`${indent}${parent.name}${ended ? `: ${ended}` : ""}${said}`);
  const { spanId } = parent.spanContext();
  const all = exporter.getFinishedSpans();
  const children = all.filter((span) => span.parentSpanContext?.spanId === spanId);
  children.sort((one, other) => one.name.localeCompare(other.name));
  for (const child of children) print(child, `${indent}  `);
}

const [path = "tracing.db"] = process.argv.slice(2);
const store = await Store.open(path);
await store.init();
const worker = store.worker([order], { hooks: { onEvent }, log: "off" });

const request = tracer.startSpan("POST /orders");
const metadata = { traceparent: traceparentOf(request) };
const run = await store.runs.submit(order, "a bicycle", { metadata });
request.end();
console.log(await store.runs.result(run));
await worker.stop();
await store.close();

const all = exporter.getFinishedSpans();
const root = all.find((span) => span.name === "POST /orders");
if (root) print(root);
const traces = new Set(all.map((span) => span.spanContext().traceId));
console.log(`${all.length} spans in ${traces.size} trace`);
