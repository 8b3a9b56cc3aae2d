"""What only Python has, in a real worker. What every language has is tested for all at once, by `tests/tests/conformance`."""

from typing import Any

import pytest

import currant
from tests.end_to_end.stack import Stack, wait_until


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        ("in_a_group", (["1", "2"],), [1, 2]),
        ("in_time", (50,), "too late"),
        ("through_a_queue", (5,), [0, 1, 2, 3, 4]),
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
        (
            "fail",
            ({"code": 7},),
            "invalid-input",
            "the input of `fail` is not what is expected: code: expected a text, got 7",
        ),
        ("stuck", (), "stuck", "only tasks, workflows, steps, timers, signals and what is made of them can be awaited"),
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


def test_the_context_is_that_of_the_execution(stack: Stack) -> None:
    handle = stack.start("context", task_id="the-context", baggage={"tenant": "a"})
    context = handle.result(timeout="60s")
    assert (context["id"], context["task_id"], context["function"]) == (str(handle.id), "the-context", "context")
    assert context["attempt"] == 1
    assert len(context["module"]) == 64
    assert context["deadline_ms"] > 0
    assert len(context["trace_id"]) == 32
    assert context["baggage"] == [["tenant", "a"]]


def test_a_signal_that_is_sent_again_is_received_once(stack: Stack) -> None:
    handle = stack.start("two_signals_in_order", "go")
    assert handle.signal("go", {"n": 1}, dedup_id="a")
    assert not handle.signal("go", {"n": 1}, dedup_id="a")
    handle.signal("go", {"n": 2})
    assert handle.result(timeout="60s") == [{"n": 1}, {"n": 2}]


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


def test_log_lines_of_every_kind_are_kept_with_their_attributes(stack: Stack) -> None:
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
