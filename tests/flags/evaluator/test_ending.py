"""The evaluator's end: whatever runs beside the server is ended with it."""

import asyncio
import contextlib

from flags.evaluator.__main__ import end


async def stubborn() -> None:
    """Takes the first cancellation for something else."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(60)
    await asyncio.sleep(60)


async def ended() -> bool:
    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    await end([task])
    return task.done()


def test_end__a_task_that_swallows_the_first_cancellation__is_ended() -> None:
    assert asyncio.run(ended())
