"""The worker, reached through the component's imports. Nothing but conversions; only this module and `_entry` know generated code."""

from __future__ import annotations

import time
from typing import NoReturn

from componentize_py_types import Err
from wit_world.exports import entry
from wit_world.imports import context, task, telemetry, types, workflow

from currant import _durations, _failures
from currant._failures import Failure
from currant._host import (
    Attribute,
    CancellationRequested,
    Completed,
    Delivery,
    Execution,
    Number,
    Outcome,
    Request,
    Signal,
    Span,
    StartTask,
    StartWorkflow,
    Timer,
    TraceContext,
)
from currant._options import CallOptions, RetryPolicy, Timeouts


class Worker:
    """Runs a workflow: the component's imports."""

    def start(self, request: Request) -> Number:
        """Begins an operation."""
        match request:
            case StartTask(function, input, options):
                return workflow.start_task(function, input, _start_options(options))
            case StartWorkflow(function, input, options):
                return workflow.start_workflow(function, input, _start_options(options), options.detached)
            case Timer(milliseconds):
                return workflow.start_timer(milliseconds)
            case Signal(name):
                return workflow.receive_signal(name)

    def external(self) -> tuple[Number, str]:
        """Begins an operation that somebody outside completes."""
        return workflow.external()

    def wait(self, numbers: list[Number]) -> Delivery:
        """Waits for one of these."""
        try:
            completion = workflow.wait(numbers)
        except Err:
            # The only interruption that there is.
            return CancellationRequested()
        return Completed(completion.operation, _outcome(completion.outcome))

    def cancel(self, number: Number) -> None:
        """Gives an operation up."""
        workflow.cancel(number)

    def begin_step(self, name: str) -> Outcome | None:
        """What is on record, or None: run it."""
        recorded = workflow.begin_step(name)
        return None if recorded is None else _outcome(recorded)

    def end_step(self, outcome: Outcome) -> None:
        """Records what a step came to."""
        if isinstance(outcome, Failure):
            workflow.end_step(types.Outcome_Failed(failure(outcome)))
        else:
            workflow.end_step(types.Outcome_Completed(outcome))

    def version(self, change: str, minimum: int, maximum: int) -> int:
        """Which side of a change this run is on."""
        return workflow.version(change, minimum, maximum)

    def continue_as_new(self, input: str) -> NoReturn:
        """Ends this run, and begins the next."""
        workflow.continue_as_new(input)
        raise AssertionError("the host ends the run there")

    def publish(self, progress: str) -> None:
        """Shows progress."""
        workflow.publish(progress)

    def time(self) -> float:
        """The workflow's monotonic clock."""
        return time.monotonic()


class Component:
    """What tasks and workflows alike can ask and tell."""

    in_component = True

    def execution(self) -> Execution:
        """Who runs."""
        now = context.current()
        return Execution(
            now.id, now.task_id, now.function, now.queue, now.attempt, now.parent, now.module, now.deadline
        )

    def trace(self) -> TraceContext:
        """Where in its trace."""
        now = context.trace()
        return TraceContext(now.trace_id, now.span_id, dict(now.baggage))

    def is_cancelled(self) -> bool:
        """Whether this task should stop."""
        return context.is_cancelled()

    def heartbeat(self, progress: str | None) -> bool:
        """Tells that the task is alive."""
        return task.heartbeat(progress)

    def last_progress(self) -> str | None:
        """What the previous attempt told."""
        return task.last_progress()

    def now(self) -> float:
        """The real time, or the workflow's."""
        return time.time()

    def log(self, level: str, message: str, attributes: list[Attribute]) -> None:
        """Writes a log line."""
        telemetry.log(telemetry.Level[level.upper()], message, attributes)

    def measure(self, kind: str, name: str, value: float, attributes: list[Attribute]) -> None:
        """Counts, records or sets a metric."""
        measures = {"counter": telemetry.counter, "histogram": telemetry.histogram, "gauge": telemetry.gauge}
        measures[kind](name, value, attributes)

    def span(self, name: str, attributes: list[Attribute]) -> Span:
        """Begins a span."""
        return _Span(telemetry.Span(name, attributes))


class _Span:
    def __init__(self, span: telemetry.Span) -> None:
        self._span = span

    def set(self, attribute: Attribute) -> None:
        self._span.set(attribute)

    def fail(self, message: str) -> None:
        self._span.fail(message)

    def end(self) -> None:
        self._span.__exit__(None, None, None)


def run_error(reason: Failure, cancelled: bool) -> entry.RunError:
    """Why a run has no result. `cancelled` is said only when somebody asked for the cancellation: the same code from a child that was
    cancelled for other reasons is a failure.
    """
    if isinstance(reason, _failures.RateLimited) and reason.retry_after_ms is not None:
        return entry.RunError_RateLimited(reason.retry_after_ms)
    if reason.code == "cancelled" and cancelled:
        return entry.RunError_Cancelled()
    return entry.RunError_Failed(failure(reason))


def failure(reason: Failure) -> types.Failure:
    """As the contract has it."""
    return types.Failure(
        _at_most(reason.code, 255), reason.message, reason.details_json, reason.retryable, reason.retry_after_ms
    )


def _at_most(text: str, bytes: int) -> str:
    return text.encode()[:bytes].decode(errors="ignore")


def retry_policy(policy: RetryPolicy) -> types.RetryPolicy:
    """As the contract has it."""
    backoff, most = _durations.milliseconds(policy.backoff), _durations.milliseconds(policy.max_backoff)
    return types.RetryPolicy(policy.retries, backoff, float(policy.multiplier), most)


def timeouts(limits: Timeouts) -> types.Timeouts:
    """As the contract has it."""
    return types.Timeouts(limits.queue, limits.attempt, limits.heartbeat, limits.total)


def _start_options(options: CallOptions) -> workflow.StartOptions:
    return workflow.StartOptions(
        queue=options.queue,
        priority=options.priority,
        delay=options.delay,
        retry=None if options.retry is None else retry_policy(options.retry),
        timeouts=timeouts(options.timeouts),
        task_id=options.task_id,
        concurrency_key=options.concurrency_key,
        tags=list(options.tags),
    )


def _outcome(outcome: types.Outcome) -> Outcome:
    if isinstance(outcome, types.Outcome_Completed):
        return outcome.value
    said = outcome.value
    return _failures.received(said.code, said.message, said.details, said.retryable, said.retry_after)
