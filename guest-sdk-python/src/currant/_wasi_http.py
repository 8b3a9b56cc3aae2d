"""One request by `wasi:http`."""

from __future__ import annotations

import re

from componentize_py_types import Err
from wit_world.imports import http_types as types
from wit_world.imports import outgoing_handler, streams

from currant.http import MOST, Error, Request

_METHODS: dict[str, types.Method] = {
    "GET": types.Method_Get(),
    "HEAD": types.Method_Head(),
    "POST": types.Method_Post(),
    "PUT": types.Method_Put(),
    "DELETE": types.Method_Delete(),
    "OPTIONS": types.Method_Options(),
    "PATCH": types.Method_Patch(),
}
_CHUNK = 4096
"""What one blocking write may be at most, by its definition."""

Answer = tuple[int, list[tuple[str, str]], bytes]


def send(made: Request) -> Answer:
    """Sends it, and reads the whole answer."""
    try:
        return _send(made)
    except Err as error:
        raise _in_words(made, error.value) from None


def _send(made: Request) -> Answer:
    fields = types.Fields.from_list([(name, value.encode("latin-1")) for name, value in made.headers])
    outgoing = types.OutgoingRequest(fields)
    outgoing.set_method(_METHODS.get(made.method) or types.Method_Other(made.method))
    outgoing.set_scheme(types.Scheme_Https() if made.scheme == "https" else types.Scheme_Http())
    outgoing.set_authority(made.authority)
    outgoing.set_path_with_query(made.target)
    body = outgoing.body()
    pending = outgoing_handler.handle(outgoing, _options(made.timeout_ms))
    _write(body, made.body)
    with pending.subscribe() as ready:
        ready.block()
    answered = pending.get()
    assert answered is not None
    response = _value(_value(answered))
    with response.headers() as headers:
        entries = [(name, value.decode("latin-1")) for name, value in headers.entries()]
    with response.consume() as content:
        return response.status(), entries, _read(content)


def _options(timeout_ms: int | None) -> types.RequestOptions | None:
    if timeout_ms is None:
        return None
    options = types.RequestOptions()
    for set_limit in (options.set_connect_timeout, options.set_first_byte_timeout, options.set_between_bytes_timeout):
        set_limit(timeout_ms * 1_000_000)
    return options


def _write(body: types.OutgoingBody, content: bytes) -> None:
    if content:
        with body.write() as stream:
            for start in range(0, len(content), _CHUNK):
                stream.blocking_write_and_flush(content[start : start + _CHUNK])
    types.OutgoingBody.finish(body, None)


def _read(content: types.IncomingBody) -> bytes:
    parts: list[bytes] = []
    size = 0
    with content.stream() as stream:
        while size <= MOST:
            try:
                part = stream.blocking_read(256 * 1024)
            except Err as error:
                if isinstance(error.value, streams.StreamError_Closed):
                    return b"".join(parts)
                raise
            parts.append(part)
            size += len(part)
    raise Error("http-too-long", f"the answer is longer than {MOST} bytes")


def _value(result: object) -> types.IncomingResponse:
    """Of an `Ok`; an `Err` is raised."""
    if isinstance(result, Err):
        raise result
    return result.value  # type: ignore[attr-defined, no-any-return]


def _in_words(made: Request, code: object) -> Error:
    asked = f"{made.method} {made.url}"
    if isinstance(code, types.ErrorCode_InternalError) and code.value:
        # The host's own words: a request that was refused, or a connection that failed.
        refused = (
            "not granted" in code.value
            or "not available in a workflow" in code.value
            or "is granted, but" in code.value
        )
        return Error("http-refused" if refused else "http-failed", f"{asked}: {code.value}")
    if isinstance(code, (types.ErrorCode_HttpRequestDenied, types.ErrorCode_DestinationIpProhibited)):
        return Error("http-refused", f"{asked}: {_name(code)}")
    if isinstance(code, types.ErrorCode_DnsError):
        return Error("http-failed", f"{asked}: the name cannot be resolved: {code.value.rcode}")
    return Error("http-failed", f"{asked}: {_name(code)}")


def _name(code: object) -> str:
    """`ErrorCode_ConnectionRefused` → `connection refused`."""
    name = type(code).__name__.rpartition("_")[2]
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower() if code is not None else "the request is not valid"
