// As otel_app.py, with the stock SDK of Node. OTEL_EXPORTER_OTLP_PROTOCOL says which exporter.
import { createInterface } from "node:readline";
import { OTLPMetricExporter as Json } from "@opentelemetry/exporter-metrics-otlp-http";
import { OTLPMetricExporter as Protobuf } from "@opentelemetry/exporter-metrics-otlp-proto";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { detectResources, envDetector } from "@opentelemetry/resources";
import { AggregationType, MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";

const bounds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
const resource = detectResources({ detectors: [envDetector] });
const exporter = process.env.OTEL_EXPORTER_OTLP_PROTOCOL === "http/json" ? new Json() : new Protobuf();
const exponential = process.env.OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION;
const views = exponential
  ? [{ instrumentName: "*", aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } }]
  : [];
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3600000 });
const meters = new MeterProvider({ resource, readers: [reader], views });
const duration = meters.getMeter("shop").createHistogram("http.server.request.duration", {
  unit: "s",
  advice: { explicitBucketBoundaries: bounds },
});
const processor = new SimpleSpanProcessor(new OTLPTraceExporter());
const tracer = new BasicTracerProvider({ resource, spanProcessors: [processor] }).getTracer("shop");

for await (const line of createInterface({ input: process.stdin })) {
  const { requests = [], evaluations = [] } = JSON.parse(line);
  for (const [took, attributes] of requests) duration.record(took, attributes);
  for (const [flag, variant, fails] of evaluations) {
    const span = tracer.startSpan("GET /");
    const attributes = { "feature_flag.key": flag, "feature_flag.result.variant": variant };
    span.addEvent("feature_flag.evaluation", attributes);
    if (fails) span.setStatus({ code: 2 });
    span.end();
  }
  await meters.forceFlush();
  await processor.forceFlush();
  console.log("done");
}
process.exit(0);
