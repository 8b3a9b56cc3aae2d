"""The part in Python: the workflow that ties the others together. What it calls is known by its name, and written in other languages."""

from dataclasses import dataclass

import currant
from currant import ChildFailed

currant.module("mixed-python", version="0.1.0")


@dataclass
class Invoice:
    """What the customer is sent."""

    total: int
    """In cents."""
    letter: str


@currant.workflow
async def invoice(customer: str, goods: dict[str, int]) -> Invoice:
    """Has the goods priced, in Rust, and the letter written, in JavaScript."""
    try:
        total, excuse = await currant.tasks.named("price", goods, returns=int), None
    except ChildFailed as failure:
        if failure.code != "unknown-goods":
            raise
        total, excuse = 0, failure.message
    return Invoice(total, await currant.tasks.named("letter", customer, total, excuse, returns=str))
