"""The command `gatepost`: finds the subcommand's module, and turns known errors into messages.

Exit status: 0 done, 1 failed, 2 wrong usage or configuration.
"""

import errno
import os
import signal
import sys
from collections.abc import Collection
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from gatepost import __version__
from gatepost.cli import words
from gatepost.cli.subcommands import finish, sentence
from gatepost.cli.words import say
from gatepost_config.load import ConfigError

# Name -> module and help. A module has `add_arguments(parser)` and `run(args) -> int`. They are
# imported one at a time: the gate must not pay for paho, nor the link for gpiozero.
COMMANDS = {
    "run": ("gatepost.cli.run", "control the turnstile (the gate process)"),
    "uplink": ("gatepost.cli.uplink", "bring events to the central server (the link process)"),
    "lane": ("gatepost.cli.lane", "ask the running gate, command it, test its parts"),
    "roster": ("gatepost.cli.roster", "who has a pass: import, export, compare, show"),
    "erase": ("gatepost.cli.erase", "remove a person from what the gate keeps"),
    "factory-reset": (
        "gatepost.cli.factory_reset",
        "erase people, keys, events and settings from this gate",
    ),
    "journal": ("gatepost.cli.journal", "look at the event log: stats, verify, export, replay"),
    "config": ("gatepost.cli.config", "check, show, compare, explain the settings; the wiring"),
    "calibrate": ("gatepost.cli.calibrate", "calibrate the sensor on a blackbody, step by step"),
    "measure": ("gatepost.cli.measure", "show what the sensor measures, as the gate would"),
    "screen": ("gatepost.cli.screen", "judge a file of readings as the gate would"),
    "decide": ("gatepost.cli.decide", "decide on facts about people, by a regime"),
    "regime": ("gatepost.cli.regime", "check a regime, or explain it with its sources"),
    "rules": ("gatepost.cli.rules", "show the rules of the documents, and what serves each"),
    "contract": ("gatepost.cli.contract", "write what crosses the wire as AsyncAPI, JSON Schema"),
    "pass": ("gatepost.cli.passes", "make keys, issue signed passes, say what a code holds"),
    "credential": (
        "gatepost.cli.credential",
        "run test files of health certificates, show a signer as a key",
    ),
    "trust": ("gatepost.cli.trust", "issue, install or show the list of keys that count"),
    "command": ("gatepost.cli.command", "sign a command for a gate, send it, show the answer"),
    "watch": ("gatepost.cli.watch", "look at the gates of a site, and at what happens"),
    "desired": ("gatepost.cli.desired", "give gates a regime, a roster or a trust list"),
    "pki": ("gatepost.cli.pki", "a small certificate authority, for a site that has none"),
    "enrol": ("gatepost.cli.enrol", "get this gate's certificate with a token, or renew it"),
    "doctor": ("gatepost.cli.doctor", "find what is wrong with this gate, and what to do"),
    "provision": ("gatepost.cli.provision", "make a folder a gate for its card, from a list"),
    "first-boot": ("gatepost.cli.first_boot", "take the settings and the token from this card"),
    "verify": ("gatepost.cli.verify", "check the safety rules in every state a lane can reach"),
    "demo": ("gatepost.cli.demo", "show a whole gate on this computer, without hardware"),
    "simulate": ("gatepost.cli.simulate", "the gate process of the demo: a simulated lane"),
}


def main(argv: list[str] | None = None) -> int:
    """Run one command; return its exit status."""
    _open_what_is_closed()
    arguments = sys.argv[1:] if argv is None else argv
    chosen = next((word for word in arguments if not word.startswith("-")), "")
    words.begin(chosen)
    args = make_parser([chosen]).parse_args(arguments)
    try:
        status: int = import_module(COMMANDS[args.command][0]).run(args)
    except ConfigError as error:
        _complain(error.problems)
        return 2
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except EOFError:
        fail(say("nobody answers the question; it ends here"))
    except PermissionError as error:
        if error.filename is None:
            raise
        told = say("{path}: not allowed; begin the command with sudo", path=error.filename)
        fail(told)
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        # Nothing that a command names: its output goes to a full disk. Nor can the rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        fail("the output cannot be written: the disk is full")
    return status


def _open_what_is_closed() -> None:
    """Put nothing in the place of a standard stream that whoever began the command has closed."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # Open as long as the process is.
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115


def make_parser(filled: Collection[str]) -> words.Parser:
    """Return the parser of all commands; those in `filled` with their arguments."""
    parser = words.Parser(prog="gatepost", description="Firmware of an unattended turnstile.")
    parser.add_argument("--version", action="version", version=f"gatepost {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (module, help_text) in COMMANDS.items():
        description = sentence(say(help_text))
        command = commands.add_parser(name, help=help_text, description=description)
        if name in filled:
            import_module(module).add_arguments(command)
            finish(command)
    return parser


def _complain(problems: tuple[str, ...]) -> None:
    for problem in problems:
        print(f"gatepost: {problem}", file=sys.stderr)


def fail(message: str, *, status: int = 1) -> NoReturn:
    """End the command with a message and a status."""
    _complain((message,))
    sys.exit(status)
