"""An application that measures itself with OpenTelemetry's stock SDK, set up by its environment
variables alone. One JSON command per line in, one line out for each."""

import json
import sys

from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]


def main() -> None:
    metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())]))
    spans = TracerProvider()
    spans.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(spans)
    duration = metrics.get_meter("shop").create_histogram(
        "http.server.request.duration", "s", explicit_bucket_boundaries_advisory=BOUNDS
    )
    for line in sys.stdin:
        command = json.loads(line)
        for took_s, attributes in command.get("requests", []):
            duration.record(took_s, attributes)
        for flag, variant, fails in command.get("evaluations", []):
            _evaluate(flag, variant, fails=fails)
        metrics.get_meter_provider().force_flush()  # type: ignore[attr-defined]
        print("done", flush=True)


def _evaluate(flag: str, variant: str, *, fails: bool) -> None:
    with trace.get_tracer("shop").start_as_current_span("GET /") as span:
        attributes = {"feature_flag.key": flag, "feature_flag.result.variant": variant}
        span.add_event("feature_flag.evaluation", attributes)
        if fails:
            span.set_status(trace.StatusCode.ERROR)


if __name__ == "__main__":
    main()
