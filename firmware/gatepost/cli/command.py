"""`gatepost command`: sign a command for a gate, send it, and print what the gate answers.

For small sites, and for trying a server's own. The key is one of `gatepost pass keygen` whose
public part stands in the site's trust list, with the use operator, administrator or auditor.

Exit status: 0 done; 1 refused by the gate, or not sent; 2 wrong usage; 3 no answer in time: it may
still act until its time is over.
"""

import argparse
import json
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from gatepost.cli.broker import add_broker_arguments, broker_of
from gatepost.cli.main import fail
from gatepost.cli.process import add_config_argument
from gatepost_config.load import load
from gatepost_services.commands.command import CommandFormError, ServerVerb
from gatepost_services.commands.remedies import REMEDIES
from gatepost_services.credentials import signing
from gatepost_services.hub.commanding import (
    CommandingError,
    Order,
    Reply,
    SignedCommand,
    next_counter,
    send,
    signed,
)

_NO_ANSWER = 3
_ARGUMENTS = {
    ServerVerb.ERASE: ("subject",),
    ServerVerb.REPLAY: ("first", "last"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    what = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    sign = what.add_parser("sign", help="print a signed command, for another program to send")
    _add_order(sign)
    add_config_argument(sign)
    sending = what.add_parser("send", help="sign, publish, wait for the answer, and print it")
    _add_order(sending)
    sending.add_argument(
        "--wait",
        type=_seconds,
        default=15,
        metavar="S",
        help="wait for it so many seconds at most (default: 15)",
    )
    sending.add_argument("--json", action="store_true", help="print the answer as JSON")
    sending.add_argument(
        "--keep",
        action="store_true",
        help="let the broker keep it beyond its time: a gate that was off answers `expired`",
    )
    add_broker_arguments(sending)


def _add_order(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("gate", metavar="GATE", help="its name, as in [gate] name")
    verbs = [_word(verb) for verb in ServerVerb]
    parser.add_argument("verb", metavar="VERB", choices=verbs, help=", ".join(verbs))
    parser.add_argument("--subject", help="whom to erase")
    parser.add_argument("--first", type=int, metavar="N", help="the first event to replay")
    parser.add_argument("--last", type=int, metavar="N", help="the last one")
    parser.add_argument(
        "--key", type=Path, required=True, metavar="FILE", help="the secret key, from pass keygen"
    )
    parser.add_argument("--by", required=True, metavar="NAME", help="who wants it, for the record")
    parser.add_argument(
        "--valid", type=_seconds, default=30, metavar="S", help="it counts so long; default: 30"
    )
    parser.add_argument("--site", help="default: that of --config")


def run(args: argparse.Namespace) -> int:
    """Sign, and send where that is wanted."""
    order = _order(args)
    now_s = time.time()
    try:
        key = signing.read_key(args.key)
        command = signed(order, key, next_counter(args.key, now_s), now_s)
    except CommandFormError as error:
        fail(str(error), status=2)
    except OSError as error:
        fail(str(error))
    if args.what == "sign":
        print(command.text.decode("ascii"))
        return 0
    return _send(args, order, command)


def _word(verb: ServerVerb) -> str:
    return verb.value.replace("_", "-")


def _seconds(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text}: must be whole seconds, 1 or more")
    return int(text)


def _order(args: argparse.Namespace) -> Order:
    verb = ServerVerb(args.verb.replace("-", "_"))
    wanted = _ARGUMENTS.get(verb, ())
    given = {name for name in ("subject", "first", "last") if getattr(args, name) is not None}
    if given != set(wanted):
        needs = " and ".join(f"--{name}" for name in wanted) or "nothing more"
        fail(f"{args.verb} needs {needs}", status=2)
    site = args.site or load(args.config).gate.site
    arguments = {name: getattr(args, name) for name in wanted}
    return Order(site, args.gate, verb, args.by, args.valid, arguments)


def _send(args: argparse.Namespace, order: Order, command: SignedCommand) -> int:
    try:
        reply = send(order, command, broker_of(args), wait_s=args.wait, expires=not args.keep)
    except CommandingError as error:
        fail(str(error))
    if reply is None:
        until = datetime.fromtimestamp(command.exp, UTC).isoformat().replace("+00:00", "Z")
        fail(
            f"no answer of {order.gate} within {args.wait} s; it may still act until {until}; "
            "see its presence and its link",
            status=_NO_ANSWER,
        )
    if args.json:
        print(json.dumps(msgspec.to_builtins(reply)))
    else:
        print(_told(order, reply))
    return 0 if reply.status == "done" else 1


def _told(order: Order, reply: Reply) -> str:
    state = f" The lane: {reply.state}." if reply.state else ""
    if reply.status == "done":
        return f"{order.gate}: {_word(order.verb)}: done.{state}"
    why = reply.why or "no reason given"
    detail = f" ({reply.detail})" if reply.detail else ""
    remedy = REMEDIES.get(why)
    return f"{order.gate}: {_word(order.verb)}: refused: {why}{detail}.{state}" + (
        f" {remedy}" if remedy else ""
    )
