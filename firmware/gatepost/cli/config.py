"""`gatepost config`: check, show, compare and explain the settings of a gate; put them in force."""

import argparse
import os
import stat
from pathlib import Path

from gatepost.cli import config_apply, config_show, config_text, wiring_text
from gatepost.cli.config_words import tongue
from gatepost.cli.document import add_markdown_argument, print_or_renew
from gatepost.cli.going_over import add_wait_argument
from gatepost.cli.main import fail
from gatepost.cli.process import add_config_argument
from gatepost.cli.wiring_table import wiring_of
from gatepost.cli.words import mark, say
from gatepost.wiring.order_in_force import check_order
from gatepost.wiring.thermometer import check_part
from gatepost_config.commented import example
from gatepost_config.difference import differences
from gatepost_config.load import load
from gatepost_services.small_file import replace_whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Checks, shows, compares and explains the settings of a gate. Of these only apply and "
        "rollback change anything at the gate."
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    check = _action(actions, "check", "whether a gate would start with this file; status 2 if not")
    add_config_argument(check)
    _add_show(actions)
    _add_diff(actions)
    _add_apply(actions)
    _action(actions, "schema", "JSON Schema 2020-12 of the file, for editors and programs")
    _add_reference(actions)
    _add_wiring(actions)
    example = _action(actions, "example", "a file that states every setting, to begin with")
    example.add_argument("--write", type=Path, metavar="FILE", help="write it to this new file")
    example.add_argument("--force", action="store_true", help="replace FILE if it is there")


def run(args: argparse.Namespace) -> int:
    """Do it; problems of a file become messages and status 2 in `gatepost.cli.main`."""
    match args.action:
        case "check":
            return _check(args.config)
        case "show":
            return config_show.show(args.config, only_changed=args.changed, is_json=args.json)
        case "diff":
            return _diff(args)
        case "apply":
            return config_apply.apply(args)
        case "rollback":
            return config_apply.rollback(args)
        case "reference":
            return _reference(args)
        case "wiring":
            return _wiring(args)
        case "example":
            return _example(args.write, is_forced=args.force)
        case _:
            print(config_text.schema_text(), end="")
            return 0


def _action(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, help_text: str
) -> argparse.ArgumentParser:
    return actions.add_parser(name, help=help_text)


def _add_show(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    show = _action(actions, "show", "every setting with its value and where that is from")
    show.description = (
        "Prints every setting with its value, its unit, and whether it is the default or set in "
        "the file. What it prints is itself a file with the same settings. Secrets stand in files "
        "of their own; of these it shows the paths, and never looks into them."
    )
    add_config_argument(show)
    show.add_argument("--changed", action="store_true", help="only what is not as the default")
    show.add_argument("--json", action="store_true", help="one line of JSON")


def _add_diff(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    diff = _action(actions, "diff", "what differs between two files, and what to restart for it")
    diff.description = (
        "Compares the settings of two files one by one; comments and order do not count, nor does "
        "a default that only one of them states."
    )
    diff.epilog = "Exit status: 0 the same, 1 they differ, 2 one of them cannot be used."
    diff.add_argument("old", type=Path, metavar="OLD", help="the file as it was")
    diff.add_argument("new", type=Path, metavar="NEW", help="the file as it is to be")
    diff.add_argument("--json", action="store_true", help="one line of JSON")


def _add_apply(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    apply = _action(actions, "apply", "put the settings of a file in force; nobody is dropped")
    apply.description = (
        "Checks a file, shows what changes, asks, and replaces the gate's file as a whole; the one "
        "before is kept beside it, as gatepost.toml.before. Then the gate starts anew as soon as "
        "nobody is in the lane: it is shut for some seconds, and what is energised is dropped "
        "(the fire loop in the relay's supply does not need it). A gate that does not come back "
        "with them gets those before again. The link starts anew when it is to take others, or "
        "nobody knows which it has. Ctrl-C while it waits: the settings count from the gate's next "
        "start on."
    )
    apply.epilog = (
        "Exit status: 0 in force, 1 not in force yet, or taken back, 2 they cannot be used and "
        "nothing was changed."
    )
    apply.add_argument(
        "new",
        type=Path,
        metavar="FILE",
        help="with the settings to come; the gate's own, if you changed it in its place",
    )
    rollback = _action(actions, "rollback", "put the settings before the last apply in force")
    rollback.description = (
        "Goes back to the settings before the last gatepost config apply, in the same way as that "
        "one. Run once more, it undoes itself."
    )
    for each in (apply, rollback):
        add_config_argument(each)
        each.add_argument("--yes", action="store_true", help="do not ask whether it is meant")
        each.add_argument(
            "--again", action="store_true", help="let this gate become another one (another name)"
        )
        add_wait_argument(each)


def _add_reference(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    reference = _action(actions, "reference", "what settings do, what they may be, their defaults")
    reference.add_argument(
        "words",
        nargs="*",
        metavar="WORD",
        help="only settings with this in their name, for example turnstile, or relay",
    )
    add_markdown_argument(reference, "--markdown", "the tables")


def _add_wiring(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    wiring = _action(actions, "wiring", "what is connected where at this gate, and what to mind")
    add_config_argument(wiring)
    shape = wiring.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="one line of JSON")
    shape.add_argument("--markdown", action="store_true", help="a table, to print or publish")


def _check(path: Path) -> int:
    settings = load(path)
    check_part(settings, path)
    check_order(settings)
    print(config_apply.good(path, settings))
    return 0


def _diff(args: argparse.Namespace) -> int:
    changes = differences(load(args.old), load(args.new))
    print(config_text.diff_json(changes) if args.json else config_text.diff_text(changes), end="")
    return 1 if changes else 0


def _reference(args: argparse.Namespace) -> int:
    if args.markdown is not None:
        if args.words:
            fail(say("--markdown is for all of them: leave the words out"), status=2)
        return print_or_renew(
            args.markdown, config_text.reference_markdown(), config_text.renewed_reference
        )
    text = config_text.reference_text(args.words)
    if not text:
        told = mark("no setting has {words} in its name; gatepost config reference")
        fail(say(told, words=say(" or ").join(args.words)))
    print(text, end="")
    return 0


def _wiring(args: argparse.Namespace) -> int:
    settings = load(args.config)
    wiring = wiring_of(settings)
    if args.json:
        print(wiring_text.as_json(wiring, settings))
    elif args.markdown:
        print(wiring_text.as_markdown(wiring), end="")
    else:
        print(wiring_text.as_text(wiring, settings), end="")
    return 0


def _example(path: Path | None, *, is_forced: bool) -> int:
    text = example(tongue())
    if path is None:
        print(text, end="")
        return 0
    try:
        if path.exists() and not (is_forced and path.is_file()):
            there = mark("{path}: exists; --force replaces it")
            fail(say(there if path.is_file() else mark("{path}: is no file"), path=path))
        held = path.stat() if path.exists() else None
        replace_whole(
            path,
            text.encode(),
            mode=held and stat.S_IMODE(held.st_mode),
            owner=(held.st_uid, held.st_gid) if held and os.geteuid() == 0 else None,
        )
    except OSError as error:
        fail(say("{path}: cannot be written: {why}", path=path, why=error.strerror))
    print(say("{path}: written", path=path))
    return 0
