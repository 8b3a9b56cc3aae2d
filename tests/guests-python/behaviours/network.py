"""The network."""

import socket
from dataclasses import dataclass

import currant
from currant import Failure, http


@currant.task(retries=0)
def resolve(host: str) -> list[str]:
    """The addresses of a host."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, None)]


@currant.task(retries=0)
def connect(host: str, port: int) -> str:
    """Connects by TCP, sends a line, and answers what comes back, at most 100 bytes of it."""
    return talk(host, port)


def talk(host: str, port: int) -> str:
    with socket.create_connection((host, port)) as connection:
        connection.sendall(b"ping\n")
        return connection.recv(100).decode().strip()


@dataclass
class Answer:
    """What came of an HTTP request."""

    status: int
    body: str


@currant.task(retries=0)
def http_get(url: str) -> Answer:
    """Gets a page."""
    response = http.get(url, timeout="5s")
    return Answer(response.status, response.text)


@currant.task(retries=0)
def http_post(url: str, text: str) -> Answer:
    """Sends something and answers what came back."""
    response = http.post(url, json={"text": text}, headers={"X-Test": "yes"})
    return Answer(response.raise_for_status().status, response.text)


@currant.workflow
async def http_in_workflow(url: str) -> str:
    """The same from a workflow, outside a step. Answers what the error said."""
    try:
        return http.get(url).text
    except Failure as failure:
        return str(failure)
