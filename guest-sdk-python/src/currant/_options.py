"""How often and how long: the settings of a function, and those of one call."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from currant import _durations
from currant._durations import Duration


@dataclass(frozen=True)
class RetryPolicy:
    """How often, and after how long, a failed attempt is tried again.

    The pause before retry n is ``backoff × multiplier^(n-1)``, at most ``max_backoff``.
    """

    retries: int = 3
    """Retries after the first attempt; 0 means one attempt and no retry."""
    backoff: Duration = 1
    multiplier: float = 2.0
    max_backoff: Duration = 300

    def __post_init__(self) -> None:
        if not 0 <= self.retries < 2**32:
            raise ValueError(f"retries={self.retries}: it must not be negative")
        if not self.multiplier >= 1:
            raise ValueError(f"multiplier={self.multiplier}: it must be at least 1")
        _durations.milliseconds(self.backoff)
        _durations.milliseconds(self.max_backoff)

    def pause_ms(self, attempt: int) -> int:
        """The pause after this attempt, without the random part."""
        backoff, most = _durations.milliseconds(self.backoff), _durations.milliseconds(self.max_backoff)
        return int(min(backoff * min(self.multiplier ** min(attempt - 1, 1000), 1e9), most))


TASK = RetryPolicy()
"""What the host applies to a task that says nothing: 3 retries, after 1 s, doubling, up to 5 min."""
WORKFLOW = replace(TASK, retries=0)
"""The same for a workflow: it is replayed, and not retried."""


@dataclass(frozen=True)
class Timeouts:
    """How long things may take, in milliseconds; None is no limit of this kind."""

    queue: int | None = None
    attempt: int | None = None
    heartbeat: int | None = None
    total: int | None = None


@dataclass(frozen=True)
class CallOptions:
    """What is said about one call. None is what the function's own settings say."""

    queue: str | None = None
    priority: int | None = None
    delay: int | None = None
    retry: RetryPolicy | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)
    task_id: str | None = None
    concurrency_key: str | None = None
    tags: tuple[str, ...] = ()
    detached: bool = False


def retry_policy(
    standard: RetryPolicy,
    retries: int | None,
    backoff: Duration | None,
    multiplier: float | None,
    max_backoff: Duration | None,
) -> RetryPolicy | None:
    """A policy of which some parts were said; None if nothing was."""
    said = {"retries": retries, "backoff": backoff, "multiplier": multiplier, "max_backoff": max_backoff}
    said = {name: value for name, value in said.items() if value is not None}
    return replace(standard, **said) if said else None  # type: ignore[arg-type]
