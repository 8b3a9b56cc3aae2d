"""HTTP from tasks and steps, against a local server, and what else is granted at deployment."""

import contextlib
import http.server
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.stack import ROOT, Stack, wait_until


class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer(404 if self.path == "/missing" else 200, f"you asked for {self.path}".encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self._answer(201, b" ".join([self.headers["x-test"].encode(), self.headers["content-type"].encode(), body]))

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@contextlib.contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving() as port:
        yield f"127.0.0.1:{port}"


@pytest.fixture(scope="module")
def secure() -> Iterator[str]:
    """By HTTPS, with a certificate of the authority that the worker was given."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(ROOT / "tests/tls/server.pem", ROOT / "tests/tls/server.key")
    with serving(tls) as port:
        yield f"localhost:{port}"


def test_what_is_not_granted_is_refused_in_words_and_what_is_granted_works(
    stack: Stack, behaviours: Path, address: str, secure: str
) -> None:
    refused = stack.failure("http_get", f"http://{address}/x")
    assert refused.code == "http-refused"
    assert (
        f"{address} is not granted to this module: `currant deploy … --allow-http {address}` grants it"
        in refused.message
    )
    assert not refused.retryable

    grants = ["--allow-http", address, "--allow-http", "127.0.0.1:9", "--allow-http", secure, "--env", "REGION=eu"]
    stack.deploy(behaviours, *grants)
    # Grants are read anew every second.
    wait_until("the grant reaches the tasks", lambda: "status" in _tried(stack, f"http://{address}/x?y=1"))
    assert stack.result("http_get", f"http://{address}/x?y=1") == {"status": 200, "body": "you asked for /x?y=1"}
    assert stack.result("http_get", f"http://{address}/missing")["status"] == 404
    # The environment is granted as well, and nothing else of it is there.
    assert stack.result("read_environment") == {"REGION": "eu"}
    assert stack.result("read_env", "REGION") == "eu"
    long = "a" * 100_000
    answer = stack.result("http_post", f"http://{address}/", long)
    assert answer == {"status": 201, "body": f'yes application/json {{"text":"{long}"}}'}
    assert stack.result("https_in_step", f"http://{address}/") == 200
    assert "network is not available in a workflow" in stack.result("http_in_workflow", f"http://{address}/")
    assert stack.result("http_get", f"https://{secure}/safe") == {"status": 200, "body": "you asked for /safe"}
    assert stack.result("https_in_step", f"https://{secure}/") == 200
    unreachable = stack.failure("http_get", "http://127.0.0.1:9/")
    assert (unreachable.code, unreachable.retryable) == ("http-failed", True)
    assert "connection refused" in unreachable.message


def _tried(stack: Stack, url: str) -> str:
    handle = stack.start("http_get", url)
    stack.until_status(handle, "completed", "failed")
    return str(stack.value("select result::text from currant.result(%s)", handle.id))
