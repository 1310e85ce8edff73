"""Redis dies, freezes, is full, or cannot be reached."""

from tests.faults.harness import Figure, fault
from tests.faults.installation import Installation


@fault("Redis kill -9 and back empty", in_ci=True)
def redis_killed(place: Installation) -> list[Figure]:
    place.redis.kill()
    place.write()
    place.redis.start()
    return [Figure("published again after", place.seconds_until(place.is_current), "s", 3)]
