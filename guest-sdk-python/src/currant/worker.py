"""`Worker`: a `currant-host worker` process with settings from a program. A thin launcher: the worker itself is that binary."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from types import TracebackType

from currant import _durations
from currant._cli import binaries
from currant._cli.talk import Problem
from currant._durations import Duration

__all__ = ["Worker"]


class Worker:
    """Runs a worker process, for as long as the block of a `with`, or until it ends.

    ::

        with currant.Worker("postgres://localhost/shop", queues=["payments"], slots=8):
            …

    What is None is what ``currant.toml`` and the environment say; docs/configuration.md tells what each setting means. `environment` are more
    variables for the process, `cwd` is where it looks for ``currant.toml``, and `output` is a file that its log is added to, instead of this
    program's stderr.
    """

    def __init__(
        self,
        database_url: str | None = None,
        *,
        queues: list[str] | None = None,
        slots: int | None = None,
        lease: Duration | None = None,
        poll_interval: Duration | None = None,
        shutdown_grace: Duration | None = None,
        cancel_grace: Duration | None = None,
        compensation_grace: Duration | None = None,
        memory_limit: str | None = None,
        time_limit: Duration | None = None,
        cpu_limit: Duration | None = None,
        workflow_cpu_limit: Duration | None = None,
        output_limit: str | None = None,
        log_limit: str | None = None,
        operations_limit: int | None = None,
        journal_length_limit: int | None = None,
        journal_bytes_limit: str | None = None,
        resident_count: int | None = None,
        resident_memory: str | None = None,
        resident_time: Duration | None = None,
        ca_file: Path | str | None = None,
        log: str | None = None,
        environment: dict[str, str] | None = None,
        cwd: Path | None = None,
        output: Path | None = None,
    ) -> None:
        if slots is not None and slots < 1:
            raise ValueError(f"slots={slots}: it runs at least one at a time")
        # Not as arguments: other users of the machine see those.
        said = {
            "CURRANT_DATABASE_URL": database_url,
            "CURRANT_WORKER_QUEUES": ",".join(queues) if queues else None,
            "CURRANT_WORKER_SLOTS": slots,
            "CURRANT_WORKER_LEASE": _length(lease),
            "CURRANT_WORKER_POLL_INTERVAL": _length(poll_interval),
            "CURRANT_WORKER_SHUTDOWN_GRACE": _length(shutdown_grace),
            "CURRANT_WORKER_CANCEL_GRACE": _length(cancel_grace),
            "CURRANT_WORKER_COMPENSATION_GRACE": _length(compensation_grace),
            "CURRANT_WORKER_MEMORY_LIMIT": memory_limit,
            "CURRANT_WORKER_TIME_LIMIT": _length(time_limit),
            "CURRANT_WORKER_CPU_LIMIT": _length(cpu_limit),
            "CURRANT_WORKER_WORKFLOW_CPU_LIMIT": _length(workflow_cpu_limit),
            "CURRANT_WORKER_OUTPUT_LIMIT": output_limit,
            "CURRANT_WORKER_LOG_LIMIT": log_limit,
            "CURRANT_WORKER_OPERATIONS_LIMIT": operations_limit,
            "CURRANT_WORKER_JOURNAL_LENGTH_LIMIT": journal_length_limit,
            "CURRANT_WORKER_JOURNAL_BYTES_LIMIT": journal_bytes_limit,
            "CURRANT_WORKER_RESIDENT_COUNT": resident_count,
            "CURRANT_WORKER_RESIDENT_MEMORY": resident_memory,
            "CURRANT_WORKER_RESIDENT_TIME": _length(resident_time),
            "CURRANT_WORKER_CA_FILE": ca_file,
            "CURRANT_LOG": log,
        }
        self.environment = {
            **{name: str(value) for name, value in said.items() if value is not None},
            **(environment or {}),
        }
        self._cwd = cwd
        self._output = output
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Of the process, while there is one."""
        return self._process.pid if self._process else None

    @property
    def is_running(self) -> bool:
        """Whether there is a process."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> Worker:
        """Starts the process."""
        if self._process is not None:
            raise RuntimeError("this worker was started before")
        try:
            binary = binaries.find("currant-host")
        except Problem as problem:
            raise FileNotFoundError(f"{problem}\nhint: {problem.hint}") from None
        output = open(self._output, "ab") if self._output is not None else None  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                [str(binary), "worker"],
                env={**os.environ, **self.environment},
                cwd=self._cwd,
                stdin=subprocess.DEVNULL,
                stderr=output,
            )
        finally:
            if output is not None:
                output.close()
        return self

    def stop(self, timeout: Duration | None = None) -> int:
        """Asks it to stop, as SIGTERM does: it claims nothing more, and lets what runs reach a safe point. Answers its exit status."""
        process = self._running()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill(self) -> None:
        """Ends it at once. What it ran is taken over when its lease is over."""
        process = self._running()
        process.kill()
        process.wait()

    def wait(self, timeout: Duration | None = None) -> int:
        """Waits for its end; `TimeoutError` if it takes longer."""
        try:
            return self._running().wait(None if timeout is None else _durations.seconds(timeout))
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"the worker {self.pid} has not ended within {timeout}") from None

    def run(self) -> int:
        """Starts it and waits for its end: for a program that is nothing but a worker."""
        self.start()
        try:
            return self.wait()
        except KeyboardInterrupt:
            return self.stop()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("this worker was not started")
        return self._process

    def __enter__(self) -> Worker:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> None:
        self.stop()


def _length(duration: Duration | None) -> str | None:
    return None if duration is None else f"{_durations.milliseconds(duration)}ms"
