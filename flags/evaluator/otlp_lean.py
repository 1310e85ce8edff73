"""Points of histograms, read with less work: what is only handed on stays the bytes it came as.

In protobuf a list of packed numbers and a message look like bytes, so that a message with the same
numbers of fields reads them as such. Attributes are compared with those of before, and bounds too;
decoding them each time would cost three times as much as all the rest.
"""

from typing import Any, Final

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_BYTES: Final = FieldDescriptorProto.TYPE_BYTES
_FIXED64: Final = FieldDescriptorProto.TYPE_FIXED64
_DOUBLE: Final = FieldDescriptorProto.TYPE_DOUBLE
_UINT32: Final = FieldDescriptorProto.TYPE_UINT32
_OF_BOTH: Final = (
    ("start_time_unix_nano", 2, _FIXED64),
    ("time_unix_nano", 3, _FIXED64),
    ("count", 4, _FIXED64),
    ("sum", 5, _DOUBLE),
    ("flags", 10, _UINT32),
)
# Names, numbers and types of opentelemetry/proto/metrics/v1/metrics.proto.
_MESSAGES: Final = {
    "LeanPoint": (
        *_OF_BOTH,
        ("bucket_counts", 6, _BYTES),
        ("explicit_bounds", 7, _BYTES),
        ("attributes", 9, _BYTES),
    ),
    "LeanExponentialPoint": (
        *_OF_BOTH,
        ("attributes", 1, _BYTES),
        ("scale", 6, FieldDescriptorProto.TYPE_SINT32),
        ("zero_count", 7, _FIXED64),
        ("positive", 8, _BYTES),
        ("negative", 9, _BYTES),
        ("zero_threshold", 14, _DOUBLE),
    ),
}


def _messages() -> DescriptorPool:
    file = FileDescriptorProto(name="aviary/otlp_lean.proto", package="aviary", syntax="proto3")
    for title, fields in _MESSAGES.items():
        message = file.message_type.add(name=title)
        for name, number, kind in fields:
            field = message.field.add(name=name, number=number, type=kind)
            is_list = name == "attributes"
            field.label = field.LABEL_REPEATED if is_list else field.LABEL_OPTIONAL
    pool = DescriptorPool()
    pool.Add(file)
    return pool


_POOL: Final = _messages()
LeanPoint: Final[Any] = GetMessageClass(_POOL.FindMessageTypeByName("aviary.LeanPoint"))
LeanExponentialPoint: Final[Any] = GetMessageClass(
    _POOL.FindMessageTypeByName("aviary.LeanExponentialPoint")
)
