"""`Worker`: what the process is given, and that it is started and ended. The program is one that tells what it was given."""

import re
from pathlib import Path

import pytest

import currant

ROOT = Path(__file__).parents[3]


def test_every_setting_of_the_program_can_be_said() -> None:
    worker = currant.Worker(
        "postgres://localhost/shop",
        queues=["a", "b"],
        slots=8,
        lease="15s",
        poll_interval=0.25,
        shutdown_grace="1m",
        cancel_grace="10s",
        compensation_grace="10s",
        memory_limit="256MiB",
        time_limit="10s",
        cpu_limit="10s",
        workflow_cpu_limit="10s",
        output_limit="1MiB",
        log_limit="1MiB",
        operations_limit=1000,
        journal_length_limit=1000,
        journal_bytes_limit="1MiB",
        resident_count=0,
        resident_memory="1GiB",
        resident_time="10m",
        ca_file=Path("/etc/ca.pem"),
        log="warn",
    )
    known = re.findall('"(CURRANT_[A-Z_]+)"', (ROOT / "core/src/env.rs").read_text())
    assert sorted(worker.environment) == sorted(known)
    assert worker.environment["CURRANT_WORKER_QUEUES"] == "a,b"
    assert worker.environment["CURRANT_WORKER_POLL_INTERVAL"] == "250ms"
    assert worker.environment["CURRANT_WORKER_RESIDENT_COUNT"] == "0"
    assert currant.Worker().environment == {}


def test_what_cannot_be_is_said_before_anything_starts() -> None:
    with pytest.raises(ValueError, match="slots=0: it runs at least one at a time"):
        currant.Worker(slots=0)
    with pytest.raises(ValueError, match="soon"):
        currant.Worker(lease="soon")


def program(folder: Path, script: str) -> dict[str, str]:
    path = folder / "currant-host"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return {"CURRANT_HOME": str(folder)}


def test_the_process_gets_its_settings_and_is_asked_to_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        'echo "$1 $CURRANT_WORKER_SLOTS $EXTRA" >&2\ntrap "exit 7" TERM\necho ready >&2\nwhile :; do sleep 0.05; done'
    )
    monkeypatch.setenv("CURRANT_HOME", program(tmp_path, script)["CURRANT_HOME"])
    output = tmp_path / "log"
    with currant.Worker(slots=3, environment={"EXTRA": "more"}, output=output) as worker:
        while "ready" not in output.read_text():
            with pytest.raises(TimeoutError, match="has not ended within 10ms"):
                worker.wait("10ms")
        assert worker.pid is not None
        with pytest.raises(RuntimeError, match="started before"):
            worker.start()
    assert output.read_text().splitlines()[0] == "worker 3 more"
    assert worker.wait() == 7


def test_a_program_that_is_nothing_but_a_worker_ends_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURRANT_HOME", program(tmp_path, "exit 3")["CURRANT_HOME"])
    assert currant.Worker().run() == 3


def test_a_worker_that_was_not_started_or_is_not_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match="was not started"):
        currant.Worker().stop()
    monkeypatch.setenv("CURRANT_HOME", "/nowhere")
    with pytest.raises(FileNotFoundError, match=r"there is no `currant-host` in CURRANT_HOME[^\n]*\nhint: "):
        currant.Worker().start()
