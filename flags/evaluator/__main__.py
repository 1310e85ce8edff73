import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import uvicorn
import uvloop

from flags.channel import KEY_USE, POINTS, SAMPLES, TELEMETRY, USAGE, IntakeKind
from flags.evaluator.app import Evaluator
from flags.evaluator.copies import Copies
from flags.evaluator.counters import Counters
from flags.evaluator.follower import Follower
from flags.evaluator.intake import Intake
from flags.evaluator.intake_queue import Gathered
from flags.evaluator.memory import Memory
from flags.evaluator.protocol import Protocol
from flags.evaluator.reporting import Reporting
from flags.evaluator.settings import Settings, listen, read_settings
from flags.evaluator.streams import Streams
from portal.lib.env import SettingError
from portal.lib.logs import LineFormatter

GRACE_S = 5
READ_COPIES_S = 10
KEEP_ALIVE_S = 65  # longer than the usual load balancer's 60, so that it is never us who closes


class Server(uvicorn.Server):
    """uvicorn's server, ending with status 0 instead of raising the signal again.

    Event streams are ended first: it would wait for them.
    """

    def __init__(self, config: uvicorn.Config, streams: Streams) -> None:
        super().__init__(config)
        self._streams = streams

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._streams.close()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


async def serve(settings: Settings, listener: socket.socket) -> None:
    memory, counters = Memory(), Counters()
    streams = Streams(memory, counters, settings.tickets, public_url=settings.public_url)
    link, sealer = settings.link, settings.sealer
    intake = _new_intake(settings, memory, counters)
    copies = Copies(
        memory, sealer, counters, folder=settings.copy_dir, max_age_s=settings.copy_max_age_s
    )
    reporting = Reporting(memory, link, sealer, port=listener.getsockname()[1])
    parts = (
        copies.run(),
        reporting.run(),
        intake.run(),
        streams.run(),
        counters.users.run(link, sealer),
        counters.exposures.run(link, sealer),
        _follow(copies, Follower(memory, link, sealer, counters)),
    )
    tasks = [asyncio.create_task(one) for one in parts]
    try:
        server = Server(_configure(settings, memory, counters, streams), streams)
        await server.serve(sockets=[listener])
    finally:
        await end(tasks)
        await intake.end()
        await reporting.end()
        await copies.write()
        await link.close()


def _configure(
    settings: Settings, memory: Memory, counters: Counters, streams: Streams
) -> uvicorn.Config:
    limits, token = settings.limits, settings.metrics_token
    return uvicorn.Config(
        Evaluator(memory, counters, streams, limits, metrics_token=token, link=settings.link),
        http=partial(Protocol, limits=limits, counters=counters),  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )


def _new_intake(settings: Settings, memory: Memory, counters: Counters) -> Intake:
    sources: dict[IntakeKind, Callable[[], Gathered]] = {
        USAGE: counters.take_usage,
        KEY_USE: memory.take_used,
        SAMPLES: partial(counters.samples.take, memory),
        TELEMETRY: counters.telemetry.take,
        POINTS: counters.points.take,
    }
    return Intake(
        sources,
        counters,
        settings.link,
        settings.sealer,
        keep_s=settings.intake_s,
        keep_bytes=settings.intake_bytes,
    )


async def _follow(copies: Copies, follower: Follower) -> None:
    """Disk is read first: nothing older than a copy is taken from Redis. It may hang."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(copies.read(), READ_COPIES_S)
    await follower.run()


async def end(tasks: Iterable["asyncio.Task[None]"]) -> None:
    """Cancel tasks until they are gone, for two seconds at most.

    Once is not always enough: a client that is just timing out takes the cancellation for its own.
    """
    left = set(tasks)
    for _attempt in range(4):
        for task in left:
            task.cancel()
        if left:
            _done, left = await asyncio.wait(left, timeout=0.5)


def main() -> int:
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    try:
        settings = read_settings()
        listener = listen(settings.host, settings.port)
    except SettingError as error:
        print(f"evaluator: {error}", file=sys.stderr)
        return 2
    # Flags live long and requests leave no cycles, so full collections would only cause pauses.
    gc.set_threshold(50_000, 20, 100)
    port = listener.getsockname()[1]
    print(f"evaluator: listening on http://{settings.host}:{port}", flush=True)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings, listener))
    return 0


if __name__ == "__main__":
    sys.exit(main())
