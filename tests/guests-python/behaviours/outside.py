"""What tasks can reach, but for the network."""

import os
import random
import secrets
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import currant


@currant.task(retries=0)
def read_env(name: str) -> str | None:
    """The environment variable of this name."""
    return os.environ.get(name)


@currant.task(retries=0)
def read_environment() -> dict[str, str]:
    """The whole environment."""
    return dict(os.environ)


@currant.task(retries=0)
def read_arguments() -> list[str]:
    """The command line."""
    return sys.argv


@dataclass
class Draws:
    """Random numbers of every kind that Python code draws."""

    system: list[int]
    generator: list[float]
    map_order: list[int]
    uuids: list[str]


def draw() -> Draws:
    return Draws(
        system=[secrets.randbits(32) for _ in range(4)],
        generator=[random.random() for _ in range(4)],
        map_order=random.sample(range(16), 16),
        uuids=[str(uuid.uuid4()), str(currant.uuid())],
    )


@currant.task(retries=0)
def read_random() -> Draws:
    """Draws random numbers."""
    return draw()


@currant.task(retries=0)
def read_clock() -> tuple[int, int]:
    """The time in milliseconds, and how many of them passed during the work that the caller cannot see."""
    begin = time.monotonic()
    now = milliseconds()
    return now, int((time.monotonic() - begin) * 1000)


def milliseconds() -> int:
    return int(time.time() * 1000)


@currant.task(retries=0)
def read_file(path: str) -> str:
    """The text of a file."""
    return Path(path).read_text()


@currant.task(retries=0)
def write_file(path: str, text: str) -> str:
    """Writes a text to a file, and answers what can be read from it."""
    Path(path).write_text(text)
    return Path(path).read_text()


@currant.task(retries=0)
def list_files(path: str) -> list[str]:
    """The names in a folder."""
    return os.listdir(path)
