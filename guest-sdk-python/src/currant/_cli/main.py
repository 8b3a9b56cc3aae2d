"""The commands at a glance: two of its own, some of `currant-host`, and whatever else `currant` knows."""

from __future__ import annotations

import argparse
import sys

from currant._cli import binaries, build, new, talk
from currant._cli.talk import Problem
from currant._version import __version__

HOST = {
    "dev": "a private Postgres, a worker, and your modules deployed whenever they change",
    "worker": "run a worker",
    "migrate": "create or upgrade the schema in the database",
    "bench": "measure what this machine and database can do",
}
ADMIN = {
    "deploy": "deploy a component",
    "rollback": "make an earlier version current again",
    "start": "start a task or a workflow",
    "status": "show an execution",
    "list": "list executions",
    "history": "show what an execution did",
    "logs": "show what an execution has logged",
    "signal": "send a signal to a workflow",
    "complete": "complete an external operation",
    "fail": "fail an external operation",
    "cancel": "cancel an execution",
    "retry": "try an execution again",
    "cleanup": "delete old executions",
    "modules": "list the modules that are deployed",
    "functions": "list the functions that they offer",
    "queues": "list, pause, resume and configure queues",
    "schedules": "start something again and again",
    "doctor": "look for what is wrong with database and workers",
}
OWN = {"build": (build, "make a component of a file or folder"), "new": (new, "make a new module that runs")}


def main(arguments: list[str] | None = None) -> int:
    """Runs a command; answers the exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        if given and given[0] not in OWN and not given[0].startswith("-"):
            return binaries.hand_over("currant-host" if given[0] in HOST else "currant", given)
        parsed = _parser().parse_args(given)
        return int(parsed.run(parsed))
    except Problem as problem:
        talk.say(f"error: {problem}")
        if problem.hint:
            talk.say(f"hint: {problem.hint}")
        return problem.status
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    handed_over = "\n".join(f"  {name:<10} {what}" for name, what in {**HOST, **ADMIN}.items())
    parser = argparse.ArgumentParser(
        prog="python -m currant",
        description="Durable tasks and workflows in Python: make a module, build it, and everything that currant can do.",
        epilog=f"handed over to currant-host and currant:\n{handed_over}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    parser.add_argument("--version", "-V", action="version", version=f"currant {__version__} (python)")
    for name, (module, help) in OWN.items():
        command = commands.add_parser(
            name,
            help=help,
            description=help,
            epilog=module.EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser
