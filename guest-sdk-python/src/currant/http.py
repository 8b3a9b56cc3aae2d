"""HTTP from tasks and steps, to the hosts that were granted at deployment (``currant deploy … --allow-http api.example:443``).

The host connects, resolves and encrypts; a component has no sockets of its own. So this client is small, and it blocks: a task may.

::

    response = currant.http.post("https://api.example/charges", json={"amount": 1250}, headers={"Idempotency-Key": currant.context().id})
    response.raise_for_status()
    receipt = response.json()["receipt"]

In an ordinary program, such as a test, it goes through `urllib`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from currant import _durations, _failures, _values
from currant._durations import Duration
from currant._host import surroundings

__all__ = ["Error", "Response", "delete", "get", "head", "patch", "post", "put", "request"]

MOST = 64 * 1024 * 1024
"""A longer answer would not fit into the memory of a component anyway."""


class Error(_failures.Failure):
    """There was no answer. Another attempt may get one, unless the request was refused (code ``http-refused``)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message, retryable=code != "http-refused")


class StatusError(Error):
    """The answer's status says that it failed. Retried are 408, 425, 429 and 5xx; a `Retry-After` in seconds is heeded."""

    def __init__(self, response: Response) -> None:
        super().__init__(f"http-{response.status}", f"{response.method} {response.url} answered {response.status}")
        self.response = response
        self.retryable = response.status in (408, 425, 429) or response.status >= 500
        after = response.header("retry-after")
        if after is not None and after.isdigit():
            self.retry_after_ms = int(after) * 1000


@dataclass(frozen=True)
class Response:
    """What a server answered."""

    method: str
    url: str
    status: int
    headers: list[tuple[str, str]]
    """As they came: a name may come several times."""
    body: bytes = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.status < 400

    def header(self, name: str) -> str | None:
        """The first of this name."""
        return next((value for found, value in self.headers if found.lower() == name.lower()), None)

    @property
    def text(self) -> str:
        """The body as text, in the encoding that the answer names, or UTF-8."""
        kind = self.header("content-type") or ""
        named = kind.lower().partition("charset=")[2].split(";")[0].strip(" \"'")
        try:
            return self.body.decode(named or "utf-8", errors="replace")
        except LookupError:
            return self.body.decode("utf-8", errors="replace")

    def json(self, type: Any = Any) -> Any:
        """The body as JSON, of this type if one is given."""
        return _values.decode("invalid-response", f"the answer of {self.url}", self.text, type)

    def raise_for_status(self) -> Response:
        """Raises a `StatusError` if the status is 400 or more; answers itself otherwise."""
        if not self.ok:
            raise StatusError(self)
        return self


@dataclass(frozen=True)
class Request:
    """What is sent."""

    method: str
    url: str
    scheme: str
    authority: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    timeout_ms: int | None


def request(
    method: str,
    url: str,
    *,
    params: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
    body: bytes | str | None = None,
    json: Any = None,
    form: dict[str, Any] | None = None,
    timeout: Duration | None = None,
) -> Response:
    """Sends a request and waits for the whole answer. `timeout` is for the connection, and for each pause of the server; the attempt's
    own limit ends everything. Redirections are not followed: each host must be granted by name.
    """
    made = _request(method, url, params, headers, body, json, form, timeout)
    if surroundings().in_component:
        from currant import _wasi_http

        status, answered, content = _wasi_http.send(made)
    else:
        status, answered, content = _natively(made)
    return Response(made.method, made.url, status, answered, content)


def _request(
    method: str,
    url: str,
    params: dict[str, Any] | None,
    headers: dict[str, str] | None,
    body: bytes | str | None,
    json: Any,
    form: dict[str, Any] | None,
    timeout: Duration | None,
) -> Request:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise _failures.NonRetryable(
            "invalid-url", f"{url!r} is not a URL: write http://host/path or https://host/path"
        )
    if parts.username is not None:
        raise _failures.NonRetryable(
            "invalid-url", f"credentials do not belong into a URL ({parts.hostname}): send a header"
        )
    query = "&".join(part for part in (parts.query, urlencode(params, doseq=True) if params else "") if part)
    target = urlunsplit(("", "", parts.path or "/", query, ""))
    sent = {name.lower(): value for name, value in (headers or {}).items()}
    if sum(given is not None for given in (body, json, form)) > 1:
        raise TypeError("a request has one of `body`, `json` and `form`")
    content = b""
    if json is not None:
        content = _values.encode("the body of the request", json).encode()
        sent.setdefault("content-type", "application/json")
    elif form is not None:
        content = urlencode(form, doseq=True).encode()
        sent.setdefault("content-type", "application/x-www-form-urlencoded")
    elif body is not None:
        content = body.encode() if isinstance(body, str) else body
    if content or method.upper() in ("POST", "PUT", "PATCH"):
        sent.setdefault("content-length", str(len(content)))
    sent.setdefault("user-agent", "currant")
    sent.setdefault("accept", "*/*")
    whole = urlunsplit((parts.scheme, parts.netloc, parts.path or "/", query, ""))
    limit = _durations.optional_milliseconds(timeout)
    return Request(method.upper(), whole, parts.scheme, parts.netloc, target, list(sent.items()), content, limit)


def _natively(made: Request) -> tuple[int, list[tuple[str, str]], bytes]:
    import urllib.error
    import urllib.request

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *arguments: Any) -> None:
            return None

    asked = urllib.request.Request(made.url, made.body or None, dict(made.headers), method=made.method)
    try:
        with urllib.request.build_opener(Stay).open(asked, timeout=(made.timeout_ms or 600_000) / 1000) as answer:
            return answer.status, list(answer.headers.items()), answer.read(MOST)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, list(error.headers.items()), error.read(MOST)
    except (urllib.error.URLError, OSError) as error:
        raise Error("http-failed", f"{made.method} {made.url}: {error}") from None


def get(url: str, **options: Any) -> Response:
    """Asks for something."""
    return request("GET", url, **options)


def head(url: str, **options: Any) -> Response:
    """Asks for the headers only."""
    return request("HEAD", url, **options)


def post(url: str, **options: Any) -> Response:
    """Sends something."""
    return request("POST", url, **options)


def put(url: str, **options: Any) -> Response:
    """Puts something in place."""
    return request("PUT", url, **options)


def patch(url: str, **options: Any) -> Response:
    """Changes something."""
    return request("PATCH", url, **options)


def delete(url: str, **options: Any) -> Response:
    """Deletes something."""
    return request("DELETE", url, **options)
