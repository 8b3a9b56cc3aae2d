"""How tasks end."""

from dataclasses import dataclass
from typing import Any

import currant
from currant import Failure, Json, NonRetryable


@currant.task(queue="echo")
def echo(value: Json) -> Json:
    """Answers its input, byte for byte."""
    return value


@dataclass
class Fault:
    """What `fail` fails with."""

    code: str
    message: str = ""
    details: Any = None
    retryable: bool = False
    retry_after_ms: int | None = None

    def failure(self) -> Failure:
        after = None if self.retry_after_ms is None else self.retry_after_ms / 1000
        return Failure(self.code, self.message, details=self.details, retryable=self.retryable, retry_after=after)


@currant.task(retries=2, backoff="10ms")
def fail(fault: Fault) -> None:
    """Fails, at every attempt."""
    raise fault.failure()


@currant.task(retries=10, backoff="10ms", max_backoff="50ms")
def fail_until_attempt(attempt: int) -> int:
    """Fails until this attempt, which answers its number."""
    now = currant.context().attempt
    if now < attempt:
        raise Failure("not-yet", f"attempt {now} of {attempt}")
    return now


@currant.task(retries=1, backoff="1h")
def retry_later(after_ms: int) -> int:
    """Fails at its first attempt, and says when it wants the second, which answers its number."""
    now = currant.context().attempt
    if now == 1:
        raise Failure("later", "not now", retry_after=after_ms / 1000)
    return now


@currant.task(retries=0)
def fail_by_error(text: str) -> int:
    """Fails with an error of the standard library."""
    return int(text)


@currant.task(queue="limited")
def rate_limited_once(after_ms: int) -> str:
    """Finds its queue too fast at the first call: a pause costs no attempt, so it looks at its own heartbeat instead."""
    if currant.last_progress(bool) is not None:
        return "done"
    currant.heartbeat(True)
    raise currant.RateLimited(after_ms / 1000)


@currant.task(timeout="1m")
def context() -> dict[str, Any]:
    """Answers its context."""
    now, trace = currant.context(), currant.trace.context()
    return {
        "id": now.id,
        "task_id": now.task_id,
        "function": now.function,
        "queue": now.queue,
        "attempt": now.attempt,
        "parent": now.parent,
        "module": now.module,
        "deadline_ms": now.deadline_ms,
        "trace_id": trace.trace_id,
        "span_id": trace.span_id,
        "baggage": list(trace.baggage.items()),
    }


@currant.task
def big_result(bytes: int) -> str:
    """Answers a text of this many bytes."""
    return "x" * bytes


@currant.task
def telemetry(lines: int) -> None:
    """Answers nothing, after having said everything that telemetry can say."""
    with currant.trace.span("counting", lines=lines) as span:
        for line in range(lines):
            currant.log.info(f"line {line}", number=line)
        currant.log.debug("fine")
        currant.log.warn("odd", reason="a test")
        currant.log.error("wrong")
        currant.metrics.increment("lines", lines, kind="test")
        currant.metrics.histogram("lines.length", 6.0)
        currant.metrics.gauge("lines.left", 0.0)
        span.set(done=True)
        span.fail("only to see it")


@currant.task(retries=0)
def no_such_order(order: int) -> None:
    """Fails for good."""
    raise NonRetryable("no-such-order", str(order))
