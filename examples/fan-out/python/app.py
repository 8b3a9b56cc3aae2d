"""Many tasks at once: texts are counted side by side, at most so many at a time, and what failed does not spoil the rest."""

import asyncio
import re
from collections import Counter
from dataclasses import dataclass

import currant
from currant import ChildFailed, NonRetryable

currant.module("fan-out-python", version="0.1.0")


@dataclass
class Summary:
    """What all texts together contain."""

    words: int
    most: list[tuple[str, int]]
    """The five words that are used most."""
    failed: dict[str, str]
    """Texts that could not be counted, and why."""


@currant.task(queue="counting", retries=2, timeout="30s")
def count(text: str) -> dict[str, int]:
    """Counts the words of one text."""
    words = re.findall(r"\w+", text.lower())
    if not words:
        raise NonRetryable("no-words", "there is nothing to count")
    return dict(Counter(words))


@currant.workflow
async def count_all(texts: dict[str, str], at_once: int = 8) -> Summary:
    """Counts all texts, at most `at_once` at a time, and shows how far it is."""
    turn = asyncio.Semaphore(at_once)
    total: Counter[str] = Counter()
    failed: dict[str, str] = {}

    async def one(name: str) -> None:
        async with turn:
            try:
                total.update(await count(texts[name]))
            except ChildFailed as failure:
                failed[name] = failure.message
        currant.publish({"done": sum(total.values()), "failed": len(failed)})

    async with asyncio.TaskGroup() as group:
        for name in texts:
            group.create_task(one(name))
    # Words that are used equally often come in the order of the alphabet.
    most = sorted(total.items(), key=lambda item: (-item[1], item[0]))[:5]
    return Summary(sum(total.values()), most, failed)
