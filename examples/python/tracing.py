"""Spans of OpenTelemetry, made of what a worker tells: each attempt is one, each step one below.

They continue the trace of whoever submitted the run, whose "traceparent" stands in the metadata
of the run, and the span of a step is the current one while its work is done, so that what an
instrumented library does in it (the "smtp" here) is below that.

usage: tracing.py database        (pip install opentelemetry-sdk)
"""

from __future__ import annotations

import logging
import sys
from typing import Any

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.propagate import extract, inject
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Span, Status, StatusCode

import smolwf

ATTEMPT_ENDS = {"completed", "parked", "retrying", "failed", "cancelled", "lost", "released"}


class Tracing:
    """A hook for a Worker or an AsyncWorker."""

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer
        self._attempts: dict[str, Span] = {}
        self._steps: dict[str, tuple[Span, Any]] = {}

    def __call__(self, event: smolwf.Event) -> None:
        kind = event["event"]
        if kind == "claimed":
            above = extract(event["metadata"] or {})
            name = f"{event['workflow']} attempt {event['attempt']}"
            span = self._tracer.start_span(name, above, attributes=self._attributes(event))
            self._attempts[event["attempt_id"]] = span
            # The workflow runs in a copy of the context, so that this ends with it.
            contexts.attach(trace.set_span_in_context(span))
        elif kind == "step_run":
            above = trace.set_span_in_context(self._attempts[event["attempt_id"]])
            span = self._tracer.start_span(f"step {event['step']}", above)
            span.set_attribute("smolwf.step_tries", event["step_tries"])
            token = contexts.attach(trace.set_span_in_context(span))
            self._steps[event["step_id"]] = span, token
        elif kind in ("step_done", "step_failed"):
            span, token = self._steps.pop(event["step_id"])
            contexts.detach(token)
            self._end(span, event)
        elif kind in ATTEMPT_ENDS and event["attempt_id"] in self._attempts:
            self._end(self._attempts.pop(event["attempt_id"]), event)

    def _attributes(self, event: smolwf.Event) -> dict[str, str]:
        return {"smolwf.run_id": event["run_id"], "smolwf.queue": event["queue"]}

    def _end(self, span: Span, event: smolwf.Event) -> None:
        span.set_attribute("smolwf.end", event["event"])
        if "error" in event:
            span.record_exception(event["error"])
            span.set_status(Status(StatusCode.ERROR, type(event["error"]).__name__))
        span.end()


exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
tracer = provider.get_tracer("example")


@smolwf.step
def charge(context: smolwf.Context, order: int) -> int:
    if context.attempt.number == 1:
        raise ConnectionError("the bank does not answer")
    return order * 100


@smolwf.step
def mail(amount: int) -> None:
    with tracer.start_as_current_span("smtp"):
        pass


@smolwf.workflow
def invoice(context: smolwf.Context, order: int) -> int:
    amount = charge(context, order)
    mail(amount)
    return amount


def show(spans: tuple[ReadableSpan, ...]) -> None:
    """Prints the spans below each other, in the order in which they began."""
    names = {span.context.span_id: span for span in spans if span.context is not None}

    def depth(span: ReadableSpan) -> int:
        above = names.get(span.parent.span_id) if span.parent is not None else None
        return 0 if above is None else 1 + depth(above)

    for span in sorted(spans, key=lambda span: span.start_time or 0):
        ended = (span.attributes or {}).get("smolwf.end", "")
        print("    " * depth(span) + f"{span.name} {ended}".strip())


def main() -> None:
    logging.getLogger("smolwf").setLevel(logging.ERROR)  # what fails here is meant to
    with smolwf.Store.open(sys.argv[1]) as store:
        with tracer.start_as_current_span("request"):
            carrier: dict[str, str] = {}
            inject(carrier)
            run_id = invoice.submit(store, 7, metadata=carrier)
        with smolwf.Worker(store, [invoice], hook=Tracing(tracer)):
            print("charged", run_id.result())
    spans = exporter.get_finished_spans()
    traces = {span.context.trace_id for span in spans if span.context is not None}
    print(f"{len(spans)} spans in {len(traces)} trace")
    show(spans)


if __name__ == "__main__":
    main()
