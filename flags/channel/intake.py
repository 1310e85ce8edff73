"""What evaluators send up to the portal: batches, on a stream in Redis for each kind of content.

A batch holds what one evaluator counted or saw within one minute. It is sealed, as documents are,
and keeps its id: an evaluator may send it again, and the worker stores it once. There is a stream
for each kind, so that no kind pushes out another's batches or holds them up.
"""

import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from flags.channel.envelope import Envelope, Sealer

MINUTE_S: Final = 60
MAX_BATCH_BYTES: Final = 2 * 2**20
_LAST_MINUTE: Final = 253_402_300_740  # of the year 9999, behind which there are no dates
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class IntakeKind:
    """A kind of content. What nobody reads stays in Redis for ``kept_for_s`` and up to
    ``most_bytes``; evaluators send what they have every ``every_s``, and keep what they cannot send
    up to ``share`` times what is set for a kind."""

    name: str
    kept_for_s: int
    most_bytes: int
    every_s: float
    share: int = 1

    @property
    def stream(self) -> str:
        return f"aviary:intake:{self.name}"


USAGE: Final = IntakeKind("usage", 24 * 3600, 64 * 2**20, every_s=2)
KEY_USE: Final = IntakeKind("keys", 24 * 3600, 8 * 2**20, every_s=10)
SAMPLES: Final = IntakeKind("samples", 15 * 60, 16 * 2**20, every_s=5)
TELEMETRY: Final = IntakeKind("telemetry", 15 * 60, 128 * 2**20, every_s=2, share=4)
POINTS: Final = IntakeKind("points", 15 * 60, 128 * 2**20, every_s=2, share=4)
INTAKE_KINDS: Final = (USAGE, KEY_USE, SAMPLES, TELEMETRY, POINTS)


@dataclass(frozen=True, slots=True)
class IntakeBatch:
    """``count`` things of one minute, the last of them at ``last_at``; both in Unix seconds.

    ``dropped`` says how many things were dropped before it. ``content`` is JSON, or None where the
    batch says no more than that.
    """

    kind: IntakeKind
    minute: int
    last_at: float
    content: Any = None
    count: int = 0
    dropped: int = 0
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        """Raises ValueError or TypeError for what no evaluator sends."""
        is_whole = type(self.minute) is type(self.count) is type(self.dropped) is int
        is_timed = 0 <= self.minute <= self.last_at <= self.minute + 2 * MINUTE_S
        is_timed = is_timed and self.minute <= _LAST_MINUTE
        if not is_whole or not is_timed or self.minute % MINUTE_S or not _ID.fullmatch(self.id):
            raise ValueError("no batch")

    @property
    def began_at(self) -> datetime:
        return datetime.fromtimestamp(self.minute, UTC)

    def seal(self, sealer: Sealer) -> bytes:
        told = {"last_at": self.last_at, "count": self.count, "dropped": self.dropped}
        envelope = Envelope(self.id, self.minute, {**told, "content": self.content})
        return sealer.seal(envelope, environment_id=0, field=self.kind.stream)


def open_batch(kind: IntakeKind, sealed: bytes, sealer: Sealer) -> IntakeBatch | None:
    try:
        envelope = sealer.open(sealed, environment_id=0, field=kind.stream)
        told: dict[str, Any] = envelope.document or {}
        return IntakeBatch(kind, envelope.version, **told, id=envelope.epoch)
    except (ValueError, TypeError):
        return None


# KEYS[1] the stream; ARGV how long and how many bytes of it are kept, then of each batch how many
# things it holds, how many dropped ones it tells of, and the batch. What is too old or too much
# goes, oldest first. Returns how many things went so, and word of how many; the place of the oldest
# batch that is left, and its age; and where the new batches are.
SEND_SCRIPT: Final = """
local places, lost, untold, now = {}, 0, 0, tonumber(redis.call('TIME')[1])
local function number(text)
  return math.min(tonumber(string.match(text or '', '^%d+$') or '0'), 1000000000)
end
for i = 3, #ARGV, 3 do
  places[#places + 1] = redis.call('XADD', KEYS[1], '*',
    'count', ARGV[i], 'told', ARGV[i + 1], 'batch', ARGV[i + 2])
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
while true do
  local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
  if not oldest then return {lost, untold, '', 0, places} end
  local age = now - math.floor(tonumber(string.match(oldest[1], '^%d+')) / 1000)
  local bytes = redis.call('MEMORY', 'USAGE', KEYS[1])
  if age <= tonumber(ARGV[1]) and bytes <= tonumber(ARGV[2]) then
    return {lost, untold, oldest[1], age, places}
  end
  redis.call('XDEL', KEYS[1], oldest[1])
  lost, untold = lost + number(oldest[2][2]), untold + number(oldest[2][4])
end
"""

# KEYS[1] the stream; ARGV after which place, how many batches, how large one may be, and all of
# them together. Returns places and seals; one that is too large comes empty.
READ_SCRIPT: Final = """
local found, bytes = {}, 0
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2])) do
  local sealed = ''
  for i = 1, #entry[2], 2 do
    if entry[2][i] == 'batch' then sealed = entry[2][i + 1] end
  end
  if #sealed > tonumber(ARGV[3]) then sealed = '' end
  bytes = bytes + #sealed
  if #found > 0 and bytes > tonumber(ARGV[4]) then break end
  found[#found + 1] = {entry[1], sealed}
end
return found
"""
