"""What evaluators have sent up and no worker has taken yet."""

from typing import Any, cast

from flags.channel import IntakeBatch, IntakeKind, Sealer
from flags.channel.intake import open_batch


def read(client: Any, kind: IntakeKind, snapshot_key: bytes) -> list[IntakeBatch]:
    """The batches in the stream of a kind, opened; fails for one that no evaluator sealed."""
    entries = cast(list[tuple[bytes, dict[bytes, bytes]]], client.xrange(kind.stream))
    found = [open_batch(kind, one[b"batch"], Sealer(snapshot_key)) for _place, one in entries]
    assert None not in found
    return [batch for batch in found if batch]
