"""The examples, as their readers run them: built from their folders, deployed, started, and compared with their READMEs."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end import stack as stacks
from tests.end_to_end.stack import ROOT, Stack, wait_until

EXAMPLES = ["hello", "checkout", "fan-out"]


@pytest.fixture(scope="module")
def examples(_stack: Stack) -> Stack:
    for name in EXAMPLES:
        _stack.deploy(stacks.build(ROOT / "examples" / name / "python" / "app.py", f"example-{name}"))
    return _stack


def expected(name: str) -> list[Any]:
    """What the README says comes out."""
    text = (ROOT / "examples" / name / "python" / "README.md").read_text()
    block = re.search(r"## What comes out\n.*?```json\n(.*?)```", text, re.DOTALL)
    assert block is not None
    return [json.loads(line) for line in block[1].splitlines()]


def commands(name: str) -> list[list[str]]:
    """The starts that the README shows, with --wait."""
    import shlex

    text = (ROOT / "examples" / name / "python" / "README.md").read_text()
    return [
        shlex.split(line)[1:]
        for line in text.splitlines()
        if line.startswith("currant start") and line.endswith("--wait")
    ]


@pytest.mark.parametrize("name", ["hello", "fan-out"])
def test_what_the_readme_says_comes_out(examples: Stack, name: str) -> None:
    results = [json.loads(examples.run("currant", *command).stdout) for command in commands(name)]
    assert results == expected(name)


def test_an_order_is_checked_out_although_its_worker_is_killed(examples: Stack) -> None:
    order = {"order": 42, "items": ["mug"], "amount": 1250, "pause_seconds": 1}
    handle = examples.start("checkout", order, task_id="order-42")
    # In the middle: charged, and not yet shipped.
    wait_until("it has picked a number", lambda: "step" in examples.journal(handle))
    examples.kill_worker()
    examples.start_worker()
    handle.signal("approved", "ada")
    result = handle.result(timeout="60s")
    [said] = expected("checkout")
    assert {**result, "tracking": ""} == {**said, "tracking": ""}
    assert re.fullmatch("CUR-[0-9A-F]{8}", result["tracking"])
    query = "select function, count(*) from currant.executions where parent_workflow_id = %s group by function order by function"
    assert examples.rows(query, handle.id) == [("charge", 1), ("reserve", 1), ("ship", 1)]


def test_an_order_that_nobody_approves_is_put_back(examples: Stack) -> None:
    order = {"order": 43, "items": ["mug"], "amount": 1250, "pause_seconds": 0, "approval_seconds": 1}
    failure = examples.failure("checkout", order)
    assert (failure.code, failure.retryable) == ("not-approved", False)


@pytest.mark.parametrize("name", [*EXAMPLES, "mixed", "bench"])
def test_its_own_tests_pass(name: str) -> None:
    folder: Path = ROOT / "examples" / name / "python"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
