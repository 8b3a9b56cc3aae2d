"""A private Postgres, a migrated database, a real worker, and the component with all behaviours: made once per session."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg

import currant

ROOT = Path(__file__).parents[3]
GUESTS = ROOT / "tests" / "guests-python"
PATIENCE = 60.0
"""Seconds that a condition may take: generous, because a machine that runs many tests is slow."""


def wait_until(what: str, condition: Callable[[], object], patience: float = PATIENCE) -> Any:
    """Until it holds; answers what it answered."""
    until = time.monotonic() + patience
    while not (found := condition()):
        if time.monotonic() > until:
            raise AssertionError(f"it did not come to this within {patience} s: {what}")
        time.sleep(0.01)
    return found


class Postgres:
    """A server in a folder of its own, that ends with the session."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:
            # Postgres refuses root.
            account = next(pwd.getpwnam(name) for name in ("postgres", "nobody") if _has_user(name))
            os.chown(folder, account.pw_uid, account.pw_gid)
            self._user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        self._run(
            "initdb", "-A", "trust", "-U", "postgres", "--no-sync", "--locale=C", "-E", "UTF8", "-D", folder / "data"
        )
        self.port = _free_port()
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off -c max_connections=200"
        self._run("pg_ctl", "-D", folder / "data", "-o", options, "-l", folder / "log", "-w", "start")

    def url(self, database: str) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}"

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self._folder / "data", "-m", "immediate", "stop")

    def _run(self, program: str, *arguments: str | Path) -> None:
        command = [str(_postgres_folder() / program), *map(str, arguments)]
        # To a file: the server keeps what it was given open.
        with open(os.devnull, "w") as nowhere:
            subprocess.run(command, check=True, stdout=nowhere, stderr=nowhere, cwd=self._folder, **self._user)


def _has_user(name: str) -> bool:
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(name) is not None
    return False


def _postgres_folder() -> Path:
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
    if not folders:
        raise AssertionError("no Postgres is installed: scripts/setup installs one")
    return folders[-1]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stack:
    """A database on which a worker runs, and the behaviours are deployed."""

    def __init__(self, postgres: Postgres, folder: Path) -> None:
        self.url = postgres.url("postgres")
        self.folder = folder
        self._number = 0
        self.run("currant-host", "migrate", "up")
        self.client = currant.Client(self.url)
        self.workers: list[currant.Worker] = []
        self.worker = self.start_worker()

    def environment(self) -> dict[str, str]:
        cache = ROOT / "target" / "test-cache"
        # The configuration of whoever runs the tests does not count.
        return {
            "CURRANT_DATABASE_URL": self.url,
            "XDG_CACHE_HOME": str(cache),
            "XDG_CONFIG_HOME": str(self.folder),
            "NO_COLOR": "1",
        }

    def run(self, program: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`currant` or `currant-host`, to its end."""
        from currant._cli import binaries

        command = [str(binaries.find(program)), *arguments]
        environment = {**os.environ, **self.environment()}
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=self.folder, timeout=180, check=False
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def start_worker(self, slots: int | None = None) -> currant.Worker:
        """With short intervals, and an authority for HTTPS that nobody else knows."""
        self._number += 1
        self.worker = currant.Worker(
            self.url,
            slots=slots,
            lease="3s",
            ca_file=ROOT / "tests/tls/authority.pem",
            environment=self.environment(),
            cwd=self.folder,
            output=self.folder / f"worker-{self._number}.log",
        ).start()
        self.workers.append(self.worker)
        return self.worker

    def worker_of(self, handle: currant.Handle[Any]) -> currant.Worker | None:
        """Who runs it, if somebody does."""
        query = (
            "select pid from currant.running r join currant.worker_heartbeats w on w.id = r.worker_id where r.id = %s"
        )
        pid = self.value(query, handle.id)
        return next((worker for worker in self.workers if worker.pid == pid), None)

    def kill_worker(self) -> None:
        """SIGKILL: nothing is said, nothing is cleaned up."""
        self.worker.kill()

    def deploy(self, component: Path, *options: str) -> None:
        self.run("currant", "deploy", str(component), "--timeout", "150s", *options)

    def start(self, function: str, *arguments: Any, **options: Any) -> currant.Handle[Any]:
        return self.client.enqueue(function, *arguments, **options)

    def result(self, function: str, *arguments: Any) -> Any:
        return self.start(function, *arguments).result(timeout=PATIENCE)

    def failure(self, function: str, *arguments: Any) -> currant.Failure:
        """How it failed."""
        try:
            answered = self.start(function, *arguments).result(timeout=PATIENCE)
        except currant.Failure as failure:
            return failure
        raise AssertionError(f"{function} did not fail, but answered {answered!r}")

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(query, parameters).fetchall()

    def value(self, query: str, *parameters: Any) -> Any:
        found = self.rows(query, *parameters)
        return found[0][0] if found else None

    def until_status(self, handle: currant.Handle[Any], *statuses: str) -> None:
        wait_until(f"{handle.id} is {statuses}", lambda: handle.status() in statuses)

    def journal(self, handle: currant.Handle[Any]) -> list[str]:
        """The kinds of its entries, in order."""
        query = "select kind from currant.journal where workflow_id = %s order by chain, position"
        return [kind for (kind,) in self.rows(query, handle.id)]

    def close(self) -> None:
        self.client.close()
        self.worker.stop(timeout="30s")


def build(source: Path, name: str, *options: str) -> Path:
    """Builds a component with the command that users run; from its cache if nothing has changed."""
    output = ROOT / "target" / "python" / f"{name}.wasm"
    environment = {**os.environ, "XDG_CACHE_HOME": str(ROOT / "target" / "test-cache")}
    command = [sys.executable, "-m", "currant", "build", str(source), "--output", str(output), *options]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(output)
    return output


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Stack]:
    """All of it, and its end."""
    for name in ("postgres", "work"):
        (folder / name).mkdir(mode=0o755)
    # For the account that Postgres runs under.
    for place in (folder, *folder.parents):
        with contextlib.suppress(OSError):
            if place.stat().st_uid == os.geteuid() and place != Path("/") and str(place).startswith("/tmp/"):
                place.chmod(place.stat().st_mode | 0o111)
    postgres = Postgres(folder / "postgres")
    try:
        stack = Stack(postgres, folder / "work")
        try:
            yield stack
        finally:
            stack.close()
    finally:
        postgres.stop()
