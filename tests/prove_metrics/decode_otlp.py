"""Decodes what came to a collector by OTLP: decode_otlp.py traces|metrics, the body of the request on standard input.

It prints one line of JSON for each span or point: its name, its attributes, and its value.
"""

import json
import sys

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def attributes(pairs):
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


def traces(body):
    for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                yield {
                    "name": span.name,
                    "trace": span.trace_id.hex(),
                    "parent": span.parent_span_id.hex(),
                    "attributes": attributes(span.attributes),
                    "resource": attributes(of_resource.resource.attributes),
                }


def metrics(body):
    for of_resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
        for of_scope in of_resource.scope_metrics:
            for metric in of_scope.metrics:
                for point in metric.gauge.data_points:
                    yield {
                        "name": metric.name,
                        "unit": metric.unit,
                        "value": point.as_double,
                        "attributes": attributes(point.attributes),
                        "resource": attributes(of_resource.resource.attributes),
                    }


for one in {"traces": traces, "metrics": metrics}[sys.argv[1]](sys.stdin.buffer.read()):
    print(json.dumps(one))
