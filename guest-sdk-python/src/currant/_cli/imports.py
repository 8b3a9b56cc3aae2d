"""Which modules cannot work in a sandbox, why, and what to use instead."""

from __future__ import annotations

import os
from pathlib import Path

_HTTP = "a sandbox has no sockets: use `currant.http`, in a task or a step"
_DATABASE = (
    "a sandbox has no sockets, and loads no native code: let a service do it, or a task in a process of your own"
)
_THREADS = "a sandbox has no threads and processes: make tasks of the parts, and run them at once with asyncio.gather"
_NATIVE = "it is native code, which a component cannot load"
_NONE = "the Python of a component is built without it"

_IMPOSSIBLE: dict[str, str] = {
    **dict.fromkeys(("requests", "httpx", "aiohttp", "urllib3", "httplib2", "pycurl", "websockets"), _HTTP),
    **dict.fromkeys(("boto3", "botocore", "grpc", "stripe", "openai", "paramiko", "redis", "pika", "kafka"), _HTTP),
    **dict.fromkeys(("psycopg", "psycopg2", "asyncpg", "sqlalchemy", "pymysql", "pymongo", "sqlite3"), _DATABASE),
    **dict.fromkeys(("multiprocessing", "subprocess", "concurrent.futures"), _THREADS),
    **dict.fromkeys(
        ("numpy", "pandas", "scipy", "torch", "PIL", "lxml", "cryptography", "orjson", "msgpack", "cv2"), _NATIVE
    ),
    **dict.fromkeys(
        ("ssl", "zlib", "gzip", "bz2", "lzma", "ctypes", "curses", "readline", "tkinter", "dbm", "fcntl"), _NONE
    ),
    "pydantic": f"{_NATIVE} (pydantic-core): use dataclasses or typed dicts, which are checked as well",
    "pydantic_core": f"{_NATIVE}: use dataclasses or typed dicts, which are checked as well",
    "ssl": f"{_NONE}: `currant.http` speaks https, the host does the encryption",
    "hypercorn": _HTTP,
    "uvicorn": _HTTP,
}


def reason(module: str) -> str | None:
    """Why a module cannot work, if it is one of those that people try."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        if found := _IMPOSSIBLE.get(".".join(parts[:length])):
            return found
    return None


def shown(file: Path) -> str:
    """A path, from here if it is below."""
    relative = os.path.relpath(file)
    return str(file) if relative.startswith("..") else relative
