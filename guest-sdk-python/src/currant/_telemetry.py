"""Logs, spans and metrics. Silent while a workflow is replayed. In an ordinary program, log lines go to stderr and the rest nowhere."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Any

from currant import _failures, _values
from currant._host import Attribute, TraceContext, surroundings


def _attributes(attributes: dict[str, Any]) -> list[Attribute]:
    """What cannot be written as JSON is left out: telemetry never fails."""
    written = []
    for name, value in attributes.items():
        try:
            written.append((name, _values.encode(name, value)))
        except _failures.Failure:
            continue
    return written


class Log:
    """Log lines of this execution, shown by ``currant logs``: a message, and attributes that can be searched for.

    ::

        currant.log.info("charged", order=42, amount=1250)

    The standard library's `logging` and `print` end up there too.
    """

    def trace(self, message: str, /, **attributes: Any) -> None:
        """Every turn."""
        surroundings().log("trace", message, _attributes(attributes))

    def debug(self, message: str, /, **attributes: Any) -> None:
        """For the author."""
        surroundings().log("debug", message, _attributes(attributes))

    def info(self, message: str, /, **attributes: Any) -> None:
        """For those who run it."""
        surroundings().log("info", message, _attributes(attributes))

    def warn(self, message: str, /, **attributes: Any) -> None:
        """Something is not as it should be."""
        surroundings().log("warn", message, _attributes(attributes))

    def error(self, message: str, /, **attributes: Any) -> None:
        """Something failed."""
        surroundings().log("error", message, _attributes(attributes))


class Span:
    """A stretch of the execution's time in its trace: the block of a `with`. An exception that leaves the block marks it as failed."""

    def __init__(self, name: str, attributes: dict[str, Any]) -> None:
        self._span = surroundings().span(name, _attributes(attributes))

    def set(self, **attributes: Any) -> None:
        """Adds attributes, or replaces those of these names."""
        for attribute in _attributes(attributes):
            self._span.set(attribute)

    def fail(self, message: str) -> None:
        """Marks it as failed."""
        self._span.fail(message)

    def __enter__(self) -> Span:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            self.fail(str(error) or type(error).__name__)
        self._span.end()


class Trace:
    """The distributed trace that this execution is part of."""

    def span(self, name: str, /, **attributes: Any) -> Span:
        """Begins a span: ``with currant.trace.span("render", pages=3): …``."""
        return Span(name, attributes)

    def context(self) -> TraceContext:
        """This execution's place in it."""
        return surroundings().trace()


class Metrics:
    """What is counted and measured, told apart by attributes."""

    def increment(self, name: str, value: float = 1, /, **attributes: Any) -> None:
        """Adds to a counter: ``currant.metrics.increment("orders", country="AQ")``."""
        if value < 0:
            raise ValueError(f"the counter `{name}` cannot go back by {-value}: use a gauge")
        surroundings().measure("counter", name, float(value), _attributes(attributes))

    def histogram(self, name: str, value: float, /, **attributes: Any) -> None:
        """Records one value of a distribution."""
        surroundings().measure("histogram", name, float(value), _attributes(attributes))

    def gauge(self, name: str, value: float, /, **attributes: Any) -> None:
        """Sets the current value of something."""
        surroundings().measure("gauge", name, float(value), _attributes(attributes))


log = Log()
trace = Trace()
metrics = Metrics()


class LogHandler(logging.Handler):
    """Hands the lines of the standard library's `logging` over."""

    def emit(self, record: logging.LogRecord) -> None:
        """Hands one over."""
        levels = {logging.DEBUG: "debug", logging.INFO: "info", logging.WARNING: "warn"}
        level = next((name for most, name in levels.items() if record.levelno <= most), "error")
        surroundings().log(level, self.format(record), _attributes({"logger": record.name}))
