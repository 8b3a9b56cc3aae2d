"""Each behaviour, in a real worker."""

from typing import Any

import pytest

import currant
from tests.end_to_end.stack import Stack, wait_until


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        ("echo", ({"b": [1, None, "\u00e4\U0001f600"]},), {"b": [1, None, "\u00e4\U0001f600"]}),
        ("fail_until_attempt", (3,), 3),
        ("echo_flow", ("x",), "x"),
        ("call_task", ({"function": "echo", "input": [1]},), [1]),
        ("call_workflow", ({"function": "echo_flow", "input": 3},), 3),
        ("sequence", (5,), 10),
        ("fan_out", (20,), list(range(20))),
        ("fan_out_joined", (20,), list(range(20))),
        ("joined", (), ["a", "b"]),
        ("call_with_options", (7,), 7),
        ("child_flow", ({"x": 1},), {"x": 1}),
        ("attached_child", (60_000,), None),
        ("signal_or_timeout", ("x", 50), None),
        ("race", (60_000, 100), "timer"),
        ("race", (10, 60_000), "task"),
        ("steps", (3,), 3),
        ("failing_step", ({"code": "broken", "message": "no"},), "broken: no"),
        ("step_among_others", (), [7, "x"]),
        ("clock_stands_still", (), True),
        ("versioned", (10,), [2, 2]),
        ("count_down", (3,), "lift-off"),
        ("in_a_group", (["1", "2"],), [1, 2]),
        ("in_time", (50,), "too late"),
        ("through_a_queue", (5,), [0, 1, 2, 3, 4]),
        ("as_they_complete", ([90, 10, 50],), [10, 50, 90]),
        ("async_task", (20,), [0, 1, 2]),
        ("async_step", (), 7),
        ("asyncio_run", (), "ran"),
        ("defaults", (1,), [1, 2, "three"]),
        ("defaults", (1, 5, "x"), [1, 5, "x"]),
        ("late_import", ("1/2",), 0.5),
        ("late_import_of_a_package", ("hello",), "HELLO, 0.5"),
        ("read_environment", (), {}),
        ("immortal", (), [True, True, True, False]),
    ],
)
def test_it_answers(stack: Stack, function: str, arguments: tuple[Any, ...], expected: Any) -> None:
    assert stack.result(function, *arguments) == expected


@pytest.mark.parametrize(
    ("function", "arguments", "code", "words"),
    [
        ("fail", ({"code": "declined", "message": "no money"},), "declined", "no money"),
        (
            "fail",
            ({"code": 7},),
            "invalid-input",
            "the input of `fail` is not what is expected: code: expected a text, got 7",
        ),
        ("pass_failure_on", ({"code": "declined"},), "declined", ""),
        ("stuck", (), "stuck", "only tasks, workflows, steps, timers, signals and what is made of them can be awaited"),
        ("overrun", (600_000,), "timed-out", "took too long"),
        ("allocate", (3000,), "out-of-memory", "CURRANT_WORKER_MEMORY_LIMIT"),
        ("recurse", (), "RecursionError", "maximum recursion depth exceeded"),
        ("exit", (3,), "trap", "the guest ended itself"),
        ("panic", ("the sky fell",), "trap", "the sky fell"),
        ("sleep_durably", (), "not-in-workflow", "a durable pause is only possible in a workflow"),
        ("heartbeat_in_workflow", (), "trap", "`heartbeat` is for tasks, and this is a workflow"),
        ("sys_exit", (3,), "SystemExit", "the code called sys.exit(3)"),
        ("start_thread", (), "no-threads", "a sandbox has no threads"),
        ("asyncio_run_in_workflow", (), "RuntimeError", "use `await`"),
        ("operation_in_step", (), "not-in-workflow", "not possible inside a step (`too-much`)"),
        ("untyped_step", (), "invalid-result", "say `returns=Thing`"),
        ("in_a_group", (["1", "x"],), "ValueError", "invalid literal for int() with base 10: 'x'"),
        ("typed", ({"things": [{"name": 3}]},), "invalid-input", "things[0].name: expected a text, got 3"),
        ("read_file", ("/etc/passwd",), "FileNotFoundError", "No such file"),
        ("connect", ("127.0.0.1", 9), "PermissionError", "Permission denied"),
    ],
)
def test_it_fails(stack: Stack, function: str, arguments: tuple[Any, ...], code: str, words: str) -> None:
    failure = stack.failure(function, *arguments)
    assert failure.code == code
    assert words in failure.message


def test_values_are_kept_byte_for_byte(stack: Stack) -> None:
    text = '{"b": 1.10, "a": [ 2 ,10000000000000000000000], "e": "\\u00e4"}'
    for function in ("echo", "json_bytes", "echo_flow"):
        handle = stack.start(function, currant.Json(text))
        handle.result(timeout="60s")
        assert stack.value("select result::text from currant.result(%s)", handle.id) == text


def test_types_go_to_a_task_and_back(stack: Stack) -> None:
    thing = {
        "name": "a",
        "id": "00000000-0000-7000-8000-000000000001",
        "made": "2030-01-01T00:00:00+00:00",
        "sizes": {"x": [1, 2.5]},
    }
    assert stack.result("typed_flow", {"things": [thing], "note": "fragile"}) == 1


def test_an_exception_arrives_with_the_users_own_traceback(stack: Stack) -> None:
    for function in ("raise_in_depth", "raise_in_workflow"):
        trace = stack.failure(function, 3).details["traceback"]
        assert trace.splitlines()[-1] == "ValueError: cannot divide 3"
        # File, line, and the line itself, although a component has no files.
        assert 'File "python_only.py", line ' in trace
        assert "    return number // 0\n" in trace
        assert (
            "ZeroDivisionError: integer division or modulo by zero" in trace
            or "ZeroDivisionError: division by zero" in trace
        )
        assert "direct cause of the following exception" in trace
        assert "currant/_" not in trace


def test_a_failure_has_no_details_but_its_own(stack: Stack) -> None:
    failure = stack.failure("fail", {"code": "declined", "message": "no", "details": {"limit": 5}})
    assert failure.details == {"limit": 5}
    assert not failure.retryable
    seen = stack.result("catch_failure", {"code": "declined", "message": "no"})
    assert seen == {"code": "declined", "message": "no", "details": None, "cancelled": False, "timed_out": False}


def test_a_workflow_sees_that_its_task_took_too_long(stack: Stack) -> None:
    seen = stack.result("catch_timeout", 100)
    assert (seen["code"], seen["timed_out"], seen["cancelled"]) == ("timed-out", True, False)


def test_what_a_task_said_is_there_for_its_next_attempt(stack: Stack) -> None:
    assert stack.result("resume_later", 10) == 5


def test_the_context_is_that_of_the_execution(stack: Stack) -> None:
    handle = stack.start("context", task_id="the-context", baggage={"tenant": "a"})
    context = handle.result(timeout="60s")
    assert (context["id"], context["task_id"], context["function"]) == (str(handle.id), "the-context", "context")
    assert context["attempt"] == 1
    assert len(context["module"]) == 64
    assert context["deadline_ms"] > 0
    assert len(context["trace_id"]) == 32
    assert context["baggage"] == [["tenant", "a"]]


def test_signals_are_received_in_order_and_those_that_come_early_are_kept(stack: Stack) -> None:
    handle = stack.start("two_signals_in_order", "go")
    assert handle.signal("go", {"n": 1}, dedup_id="a")
    assert not handle.signal("go", {"n": 1}, dedup_id="a")
    handle.signal("go", {"n": 2})
    assert handle.result(timeout="60s") == [{"n": 1}, {"n": 2}]


def test_a_receive_that_gave_up_consumes_no_signal(stack: Stack) -> None:
    handle = stack.start("signal_after_giving_up", "go", 50)
    wait_until("it has given up", lambda: "cancel" in stack.journal(handle))
    handle.signal("go", 1)
    assert handle.result(timeout="60s") == [False, 1]


def test_signals_follow_a_workflow_that_continues_as_new(stack: Stack) -> None:
    handle = stack.start("collect_signals", "go", 3, [])
    for number in range(3):
        handle.signal("go", number)
    assert handle.result(timeout="60s") == [0, 1, 2]


def test_an_external_operation_is_completed_by_whoever_holds_the_token(stack: Stack) -> None:
    handle = stack.start("wait_external")
    query = "select progress #>> '{}' from currant.executions where id = %s"
    token = wait_until("it shows its token", lambda: stack.value(query, handle.id))
    stack.client.complete(token, {"answer": 42})
    assert handle.result(timeout="60s") == {"answer": 42}
    handle = stack.start("wait_external")
    token = wait_until("it shows its token", lambda: stack.value(query, handle.id))
    stack.client.fail(token, currant.Failure("refused", "not today"))
    with pytest.raises(currant.Failure, match="refused: not today"):
        handle.result(timeout="60s")


def test_a_cancelled_workflow_takes_back_what_it_did(stack: Stack) -> None:
    handle = stack.start("compensate", "the reservation")
    wait_until("it waits", lambda: "timer" in stack.journal(handle))
    assert handle.cancel() == "requested"
    with pytest.raises(currant.Cancelled):
        handle.result(timeout="60s")
    assert (
        stack.value("select progress #>> '{}' from currant.executions where id = %s", handle.id)
        == "undid the reservation"
    )


def test_a_workflow_may_end_well_although_it_was_cancelled(stack: Stack) -> None:
    handle = stack.start("survive_cancellation")
    wait_until("it waits", lambda: "timer" in stack.journal(handle))
    handle.cancel()
    assert handle.result(timeout="60s") == "cancelled, and finished all the same"


def test_children_are_cancelled_with_their_workflow_unless_detached(stack: Stack) -> None:
    query = "select count(*) from currant.executions where parent_workflow_id = %s"
    handle = stack.start("cancel_with_children", 60_000)
    wait_until("it has children", lambda: stack.value(query, handle.id) == 2)
    handle.cancel()
    ended = f"{query} and status = 'cancelled'"
    wait_until("both are cancelled", lambda: stack.value(ended, handle.id) == 2)
    handle = stack.start("detached_child", 100)
    assert handle.result(timeout="60s") is None
    wait_until("its child goes on", lambda: stack.value(f"{query} and status = 'completed'", handle.id) == 1)


@pytest.mark.parametrize("function", ["heartbeat_loop", "watch_for_cancellation"])
def test_a_task_that_listens_stops_when_it_is_cancelled(stack: Stack, function: str) -> None:
    handle = stack.start(function, *([20] if function == "heartbeat_loop" else []))
    stack.until_status(handle, "running")
    handle.cancel()
    with pytest.raises(currant.Cancelled):
        handle.result(timeout="60s")


def test_log_lines_of_every_kind_are_kept_once(stack: Stack) -> None:
    handle = stack.start("print_in_workflow", 300)
    handle.result(timeout="60s")
    query = "select message from currant.logs where execution_id = %s order by run, line"
    assert [line for (line,) in stack.rows(query, handle.id)] == ["before", "before, by log", "after", "after, by log"]
    handle = stack.start("std_logging")
    handle.result(timeout="60s")
    lines = stack.rows("select level, message from currant.logs where execution_id = %s order by line", handle.id)
    assert lines == [("warn", "only 3 left"), ("info", "printed")]
    handle = stack.start("telemetry", 2)
    handle.result(timeout="60s")
    lines = stack.rows(
        "select level, message, attributes::jsonb from currant.logs where execution_id = %s order by line", handle.id
    )
    assert lines[0] == ("info", "line 0", {"number": 0})
    assert [level for level, _, _ in lines[-3:]] == ["debug", "warn", "error"]


def test_the_journal_is_that_of_the_contract(stack: Stack) -> None:
    """Kinds and order are the same in every language: what `race` starts and gives up is on record."""
    handle = stack.start("race", 60_000, 100)
    handle.result(timeout="60s")
    assert stack.journal(handle) == ["started", "task", "timer", "completed", "cancel"]
    handle = stack.start("signal_or_timeout", "x", 50)
    handle.result(timeout="60s")
    assert stack.journal(handle) == ["started", "receive", "timer", "completed", "cancel"]
    handle = stack.start("step_among_others")
    handle.result(timeout="60s")
    assert stack.journal(handle)[:4] == ["started", "task", "timer", "step"]
