"""Durable tasks and workflows for Currant, in Python.

::

    import asyncio
    from dataclasses import dataclass

    import currant


    @dataclass
    class Order:
        number: int
        amount: int


    @currant.task(queue="payments", retries=5, timeout="30s")
    def charge(order: Order) -> str:
        \"\"\"Takes the money.\"\"\"
        return f"receipt for {order.amount}"


    @currant.workflow
    async def checkout(order: Order) -> str:
        \"\"\"From the order to the parcel.\"\"\"
        receipt = await charge(order)  # calling a task is calling the function
        await currant.sleep("5 s")  # a pause that survives crashes
        who = await currant.receive("approved", str)  # a message from outside
        return f"{receipt}, approved by {who}"

``python -m currant build shop.py`` makes a component of it, to be deployed. A **task** runs once per attempt and may touch the outside
world. A **workflow** is deterministic: it calls tasks, runs steps, sleeps, receives signals, and after a crash it runs again from its
beginning with everything answered from its journal. Clocks and random need no care, the host supplies them.

Concurrency is asyncio's own: `gather`, `wait`, `as_completed`, `TaskGroup`, `timeout`, `sleep`, `Queue`, `Event`.

**Cancellation.** When somebody cancels a workflow, ``asyncio.CancelledError`` is raised where its function waits, once. Left alone, it
ends the workflow. Caught, the workflow can undo what it did, until its grace period is over.

How it fits together, in reading order:

- `tasks`, `workflows`: the decorators · `_steps` · `_timers` · `_signals`
- `_context`, `_heartbeats`, `_telemetry`: what runs, and what it tells · `_failures`, `_values`
- `testing`: runs workflows in an ordinary program, with a clock that jumps · `http`: the network, for tasks and steps
- outside of components: `client`, `worker`, and the command line, `_cli`
- inside: `_functions` (what the decorators register) · `_calls`, `_deferred` (what begins when it is awaited) · `_loop` (the event loop)
  · `_host` (who runs it: the worker, `_component`, or the test kit) · `_entry` (the exports) · `_sandbox` (the standard library there)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from currant import tasks as tasks
from currant import workflows as workflows
from currant._calls import Call, Function, start
from currant._context import context, is_cancelled
from currant._durations import Duration
from currant._failures import Cancelled, ChildFailed, Failure, NonRetryable, RateLimited, TimedOut
from currant._functions import module
from currant._heartbeats import heartbeat, last_progress
from currant._host import Execution, TraceContext
from currant._loop import Operation
from currant._options import RetryPolicy
from currant._random import random, uuid
from currant._signals import External, external, receive
from currant._steps import step
from currant._telemetry import log, metrics, trace
from currant._timers import now, sleep
from currant._values import Json
from currant.tasks import Task, task
from currant.workflows import Workflow, continue_as_new, publish, version, workflow

if TYPE_CHECKING:
    from currant.client import AsyncClient, AsyncHandle, Client, Handle
    from currant.worker import Worker

__all__ = [
    "AsyncClient",
    "AsyncHandle",
    "Call",
    "Cancelled",
    "ChildFailed",
    "Client",
    "Duration",
    "Execution",
    "External",
    "Failure",
    "Function",
    "Handle",
    "Json",
    "NonRetryable",
    "Operation",
    "RateLimited",
    "RetryPolicy",
    "Task",
    "TimedOut",
    "TraceContext",
    "Worker",
    "Workflow",
    "context",
    "continue_as_new",
    "external",
    "heartbeat",
    "is_cancelled",
    "last_progress",
    "log",
    "metrics",
    "module",
    "now",
    "publish",
    "random",
    "receive",
    "sleep",
    "start",
    "step",
    "task",
    "tasks",
    "trace",
    "uuid",
    "version",
    "workflow",
    "workflows",
]

_OUTSIDE = dict.fromkeys(("AsyncClient", "AsyncHandle", "Client", "Handle"), "currant.client") | {
    "Worker": "currant.worker"
}


def __getattr__(name: str) -> Any:
    # Ordinary programs only: a component should not carry them.
    if name in _OUTSIDE:
        import importlib

        return getattr(importlib.import_module(_OUTSIDE[name]), name)
    raise AttributeError(f"module 'currant' has no attribute {name!r}")
