"""Plain JSON values in canonical CBOR, RFC 7049 section 3.9: what flagd hashes since its testbed 3.

Whole numbers are integers, however they are written: 7.0 is 7.
"""

import math
import struct
from collections.abc import Mapping
from typing import Final

MAX_DEPTH: Final = 50


def encode(value: object, levels: int = MAX_DEPTH) -> bytes:
    """The value's bytes.

    Raises ValueError for what JSON does not have, lone surrogates, and what is nested too deeply.
    """
    if not levels:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        text = value.encode()
        return _head(3, len(text)) + text
    if value is None or isinstance(value, bool):
        return {False: b"\xf4", True: b"\xf5", None: b"\xf6"}[value]
    if isinstance(value, (int, float)):
        return _number(value)
    if isinstance(value, (list, tuple)):
        return _head(4, len(value)) + b"".join(encode(item, levels - 1) for item in value)
    if isinstance(value, Mapping):
        encoded = ((encode(key), encode(item, levels - 1)) for key, item in value.items())
        pairs = sorted(encoded, key=_by_key)
        return _head(5, len(pairs)) + b"".join(key + item for key, item in pairs)
    raise ValueError(type(value).__name__)


def _by_key(pair: tuple[bytes, bytes]) -> tuple[int, bytes]:
    return (len(pair[0]), pair[0])


def _head(kind: int, size: int) -> bytes:
    """What begins every item: its kind, and a size or number in as few bytes as will do."""
    if size < 24:
        return bytes([kind << 5 | size])
    for code, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if size < 1 << 8 * width:
            return bytes([kind << 5 | code]) + size.to_bytes(width, "big")
    raise ValueError("too large")


def _number(value: float) -> bytes:
    if -(2**63) <= value < 2**64 and value == int(value):
        integer = int(value)
        return _head(0, integer) if integer >= 0 else _head(1, -1 - integer)
    try:
        return _float(float(value))
    except OverflowError:
        raise ValueError("no number of JSON's") from None


def _float(value: float) -> bytes:
    """In as few bytes as hold it exactly; there is one NaN."""
    if math.isnan(value):
        return b"\xf9\x7e\x00"
    for code, form in ((b"\xf9", ">e"), (b"\xfa", ">f")):
        try:
            packed = struct.pack(form, value)
        except OverflowError:
            continue
        if struct.unpack(form, packed)[0] == value:
            return code + packed
    return b"\xfb" + struct.pack(">d", value)
