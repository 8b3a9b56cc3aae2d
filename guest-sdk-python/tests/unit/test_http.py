"""`currant.http` in an ordinary program, and what it sends."""

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import currant.http
from currant import Failure
from currant.http import StatusError, _request


class Server(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        status = int(self.path.rpartition("/")[2].partition("?")[0] or 200)
        answer = json.dumps({"path": self.path, "type": self.headers["content-type"], "body": body}).encode()
        self.send_response(status)
        self.send_header("Retry-After", "7")
        self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_bodies_are_sent_as_what_they_are(url: str) -> None:
    answer = currant.http.post(f"{url}/200", json={"a": 1}, params={"b": [1, 2]}).json()
    assert answer == {"path": "/200?b=1&b=2", "type": "application/json", "body": '{"a":1}'}
    answer = currant.http.post(f"{url}/200", form={"a": "x y"}).json()
    assert (answer["type"], answer["body"]) == ("application/x-www-form-urlencoded", "a=x+y")


def test_a_status_that_says_failed_is_raised_on_request(url: str) -> None:
    response = currant.http.post(f"{url}/503", body="x")
    assert (response.status, response.ok, response.header("retry-after")) == (503, False, "7")
    with pytest.raises(StatusError) as raised:
        response.raise_for_status()
    assert (raised.value.code, raised.value.retryable, raised.value.retry_after_ms) == ("http-503", True, 7000)
    with pytest.raises(StatusError) as raised:
        currant.http.post(f"{url}/404", body="x").raise_for_status()
    assert not raised.value.retryable


def test_redirections_are_not_followed(url: str) -> None:
    assert currant.http.post(f"{url}/302", body="x").status == 302


def test_no_answer_is_a_failure_that_another_attempt_may_cure() -> None:
    with pytest.raises(currant.http.Error) as raised:
        currant.http.get("http://127.0.0.1:9/")
    assert (raised.value.code, raised.value.retryable) == ("http-failed", True)


@pytest.mark.parametrize("url", ["nonsense", "ftp://host/x", "http://", "http://user:secret@host/"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(Failure) as raised:
        currant.http.get(url)
    assert raised.value.code == "invalid-url"
    assert "secret" not in raised.value.message


def made(url: str, **options: Any) -> currant.http.Request:
    given = dict.fromkeys(("params", "headers", "body", "json", "form", "timeout")) | options
    return _request("get", url, **given)


def test_what_is_sent_names_authority_and_target() -> None:
    request = made("https://api.example:8443?x=1#part", params={"y": 2}, timeout="5s")
    assert (request.method, request.scheme, request.authority, request.target) == (
        "GET",
        "https",
        "api.example:8443",
        "/?x=1&y=2",
    )
    assert request.timeout_ms == 5000
    assert made("http://h/", headers={"User-Agent": "me"}).headers == [("user-agent", "me"), ("accept", "*/*")]
    with pytest.raises(TypeError, match="one of"):
        made("http://h/", body="x", json=1)
