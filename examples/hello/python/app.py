"""The smallest module: a task, and a workflow that calls it."""

import currant

currant.module("hello-python", version="0.1.0")


@currant.task
def hello(name: str) -> str:
    """Says hello to somebody."""
    return f"Hello, {name}!"


@currant.workflow
async def greet(names: list[str]) -> list[str]:
    """Says hello to each, one after the other."""
    return [await hello(name) for name in names]
