"""Tasks that take a while."""

import itertools
import time

import currant
from currant import Cancelled, Failure


@currant.task(retries=0)
def sleep(milliseconds: int) -> int:
    """Blocks for so long."""
    begin = time.monotonic()
    time.sleep(milliseconds / 1000)
    return int((time.monotonic() - begin) * 1000)


@currant.task(retries=0, heartbeat="5s")
def heartbeat_loop(pause_ms: int) -> None:
    """Says that it is alive until it is cancelled."""
    for beat in itertools.count():
        if currant.heartbeat(beat):
            raise Cancelled()
        time.sleep(pause_ms / 1000)


@currant.task(retries=0, heartbeat="200ms")
def fall_silent(milliseconds: int) -> None:
    """Says that it is alive once, and never again."""
    currant.heartbeat("last words")
    time.sleep(milliseconds / 1000)


@currant.task(retries=0)
def watch_for_cancellation() -> None:
    """Waits for its cancellation without a heartbeat."""
    while not currant.is_cancelled():
        time.sleep(0.02)
    raise Cancelled()


@currant.task(retries=0)
def ignore_cancellation(milliseconds: int) -> str:
    """Is cancelled, and does not care."""
    time.sleep(milliseconds / 1000)
    return "finished all the same"


@currant.task(retries=1, backoff="10ms")
def resume(rounds: int) -> int:
    """Fails half way at the first attempt, and goes on from there at the second. Answers where it began."""
    begin = currant.last_progress(int) or 0
    for number in range(begin, rounds):
        currant.heartbeat(number)
        if begin == 0 and number == rounds // 2:
            raise Failure("half-way", f"stopped at {number}")
    return begin


@currant.task(retries=0, timeout="200ms")
def overrun(milliseconds: int) -> None:
    """Runs longer than its attempt may."""
    time.sleep(milliseconds / 1000)
