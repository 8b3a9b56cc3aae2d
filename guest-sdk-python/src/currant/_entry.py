"""What the component exports: `describe` and `run`."""

from __future__ import annotations

import asyncio

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports import entry

from currant import _component, _context, _failures, _functions, _host, _sandbox
from currant._failures import Failure
from currant._functions import Definition
from currant._loop import DurableLoop
from currant._version import __version__

_host.set_surroundings(_component.Component())


_SDK = f"python {__version__}"


class Entry(exports.Entry):
    """The exported interface."""

    def describe(self) -> entry.ModuleDescription:
        """Says what the module offers."""
        module = _functions.the_module()
        functions = [_describe(definition) for definition in _functions.all_functions()]
        return entry.ModuleDescription(module.name, module.version, _SDK, functions)

    def run(self, function: str, input: str) -> str:
        """Runs one of the functions."""
        _sandbox.begin()
        try:
            return _run(_functions.find(function), input)
        except Err:
            raise
        except BaseException as error:
            raise Err(_component.run_error(_failures.of_exception(error), _context.is_cancelled())) from None
        finally:
            _sandbox.end()


def _run(definition: Definition[..., object], input: str) -> str:
    if definition.kind == "task":
        return definition.run_task(input)
    loop = DurableLoop(_component.Worker())
    try:
        return loop.run(definition.run_workflow(input))
    except asyncio.CancelledError:
        # Whether by its own cancellation, or because it cancelled itself.
        reason: Failure = _failures.Cancelled()
        raise Err(_component.run_error(reason, loop.cancelled)) from None
    except BaseException as error:
        reason = _failures.of_exception(error)
        if isinstance(reason, _failures.RateLimited):
            # Workflows pause no queue.
            reason = Failure(reason.code, reason.message, retry_after=(reason.retry_after_ms or 0) / 1000)
        raise Err(_component.run_error(reason, loop.cancelled)) from None


def _describe(definition: Definition[..., object]) -> entry.FunctionDescription:
    settings = definition.settings
    return entry.FunctionDescription(
        name=definition.name,
        kind=entry.FunctionKind.TASK if definition.kind == "task" else entry.FunctionKind.WORKFLOW,
        description=definition.description,
        queue=settings.queue,
        priority=settings.priority,
        retry=None if settings.retry is None else _component.retry_policy(settings.retry),
        timeouts=_component.timeouts(settings.timeouts),
        input_schema=None,
        result_schema=None,
    )


def check() -> None:
    """At build: what would refuse the module at deploy, and what would fail at the first call."""
    for definition in _functions.all_functions():
        try:
            _ = definition.hints
        except TypeError as error:
            raise ValueError(f"{_functions.shown(definition)}: {error}") from None
