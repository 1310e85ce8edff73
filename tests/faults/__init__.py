"""``make faults``: break a running installation, one fault at a time, and look at what it does.

A fault is a function in a module of ``tests/faults/rows`` with a title. It is given an
installation, all parts of it running and under steady evaluation load, and returns figures. It
leaves the installation working, as the next fault gets it. What
holds in every fault (no evaluation error, no version that goes back, one audit row per change) is
checked by the harness. The smallest one::

    @fault("Redis kill -9 and back empty")
    def redis_killed(place: Installation) -> list[Figure]:
        place.redis.restart_empty()
        return [Figure("published again after", place.seconds_until(place.is_current), "s", 3)]
"""
