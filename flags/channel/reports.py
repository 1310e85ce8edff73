"""How evaluators tell what they answer from: one field each, in a hash per environment.

The seal lets nobody who merely reaches Redis say that a version arrived. Ages are counted by the
clock of Redis, the one that all share. The last reports stay for a day when nobody reports any
more, so that “none reports now” can be told from “none ever did”.
"""

from dataclasses import dataclass
from typing import Final

from flags.channel.envelope import Envelope, ForgedEnvelope, Sealer

REPORT_EVERY_S: Final = 2.0
GONE_AFTER_S: Final = 10
KEPT_FOR_S: Final = 24 * 3600

# KEYS[1] the hash; ARGV the evaluator's name and its sealed report. Those that are gone go.
REPORT_SCRIPT: Final = f"""
local now = redis.call('TIME')[1]
redis.call('HSET', KEYS[1], ARGV[1], now .. ':' .. ARGV[2])
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local at = tonumber(string.match(all[i + 1], '^%d+') or '0')
  if tonumber(now) - at > {GONE_AFTER_S} then redis.call('HDEL', KEYS[1], all[i]) end
end
redis.call('EXPIRE', KEYS[1], {KEPT_FOR_S})
return 1
"""


@dataclass(frozen=True, slots=True)
class Report:
    """What one evaluator answers from; version 0 of no epoch where it could load nothing."""

    evaluator: str
    epoch: str
    version: int
    held_for_s: float
    # Since it said so; set where reports are read.
    age_s: float = 0.0

    @property
    def position(self) -> tuple[str, int]:
        return self.epoch, self.version

    @property
    def is_live(self) -> bool:
        return self.age_s <= GONE_AFTER_S

    def seal(self, sealer: Sealer, environment_id: int) -> bytes:
        envelope = Envelope(self.epoch, self.version, {"held_for_s": round(self.held_for_s, 1)})
        field = _field(self.evaluator)
        return sealer.seal(envelope, environment_id=environment_id, field=field)


def open_report(
    evaluator: bytes, stored: bytes, sealer: Sealer, environment_id: int, *, now: int
) -> Report | None:
    at, _colon, sealed = stored.partition(b":")
    try:
        name = evaluator.decode()
        envelope = sealer.open(sealed, environment_id=environment_id, field=_field(name))
        held_for_s = float((envelope.document or {})["held_for_s"])  # type: ignore[arg-type]
        age_s = max(0.0, float(now - int(at)))
    except (ForgedEnvelope, ValueError, TypeError, KeyError):
        return None
    return Report(name, envelope.epoch, envelope.version, held_for_s, age_s)


def _field(evaluator: str) -> str:
    return f"report/{evaluator}"
