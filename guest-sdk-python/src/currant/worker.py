"""`Worker`: a `currant-host worker` process with settings from a program. A thin launcher: the worker itself is that binary."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from types import TracebackType

from currant import _durations
from currant._cli import binaries
from currant._durations import Duration

__all__ = ["Worker"]


class Worker:
    """Runs a worker process, for as long as the block of a `with`, or until it ends.

    ::

        with currant.Worker("postgres://localhost/shop", queues=["payments"], slots=8):
            …

    What is None is what ``currant.toml`` and the environment say. Every other setting has a variable, to be given in `environment`:
    ``{"CURRANT_LOG": "debug"}``.
    """

    def __init__(
        self,
        database_url: str | None = None,
        *,
        queues: list[str] | None = None,
        slots: int | None = None,
        lease: Duration | None = None,
        environment: dict[str, str] | None = None,
        cwd: Path | None = None,
        log: Path | None = None,
    ) -> None:
        said = {
            "queues": ",".join(queues) if queues else None,
            "slots": None if slots is None else str(slots),
            "lease": None if lease is None else f"{_durations.milliseconds(lease)}ms",
        }
        self.arguments = [
            "worker",
            *(part for name, value in said.items() if value is not None for part in (f"--{name}", value)),
        ]
        self.environment = dict(environment or {})
        if database_url is not None:
            # Not as an argument: other users of the machine see those.
            self.environment["CURRANT_DATABASE_URL"] = database_url
        self._cwd = cwd
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Of the process, while there is one."""
        return self._process.pid if self._process else None

    def start(self) -> Worker:
        """Starts the process."""
        if self._process is not None:
            raise RuntimeError("this worker was started before")
        binary = binaries.find("currant-host")
        output = open(self._log, "ab") if self._log is not None else None  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                [str(binary), *self.arguments],
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
