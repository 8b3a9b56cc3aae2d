"""What the sandbox must survive."""

import os
import sys

import currant


@currant.task(retries=0)
def panic(message: str) -> None:
    """Aborts, with this message as its last word."""
    print(message, file=sys.stderr)
    os.abort()


@currant.task(retries=0)
def loop_forever() -> None:
    """Never ends, and never yields."""
    while True:
        pass


@currant.task(retries=0)
def allocate(mebibytes: int) -> int:
    """Takes so much memory, and uses it."""
    blocks = [bytearray(b"\1") * (1 << 20) for _ in range(mebibytes)]
    return sum(len(block) for block in blocks)


@currant.task(retries=0)
def recurse() -> int:
    """Calls itself until the stack ends."""
    return deeper(1)


def deeper(depth: int) -> int:
    return deeper(depth + 1) + depth


@currant.task(name="print")
def print_bytes(bytes: int) -> None:
    """Writes so many bytes to stdout and stderr each, in lines of 80."""
    for start in range(0, bytes, 80):
        line = "=" * (min(bytes - start, 80) - 1)
        print(line)
        print(line, file=sys.stderr)


@currant.task(retries=0)
def exit(status: int) -> None:
    """Ends the process, as far as there is one."""
    os._exit(status)


@currant.task(retries=0)
async def sleep_durably() -> None:
    """Does in a task what only workflows may: the SDK answers."""
    await currant.sleep("1 ms")
