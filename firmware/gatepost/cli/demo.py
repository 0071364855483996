"""`gatepost demo`: a whole gate on this computer, counted at the subscriber's end."""

import argparse
import logging
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

from gatepost.cli.main import fail
from gatepost.cli.simulate import add_people_arguments
from gatepost.demo.broker import Address, BrokerError, LocalBroker, parse_url
from gatepost.demo.show import Demo, DemoError, Summary
from gatepost.demo.view import View, open_view


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_people_arguments(parser)
    parser.add_argument(
        "--broker",
        type=_address,
        metavar="URL",
        help="use this broker, mqtt://HOST[:PORT], in place of one of our own",
    )
    parser.add_argument(
        "--outage", action="store_true", help="our broker dies in the middle and comes back"
    )
    parser.add_argument(
        "--json", action="store_true", help="print nothing but one line of JSON at the end"
    )
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="keep journal, logs and process ids in DIR"
    )


def run(args: argparse.Namespace) -> int:
    """Run the demo; 0 when everything that was written arrived, in order."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)  # by way of what stops the processes and removes the folder
    if args.outage and args.broker:
        fail("--outage stops a broker of our own; it cannot be used with --broker", status=2)
    with ExitStack() as closing:
        if args.keep is None:
            folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="gatepost-")))
        else:
            folder = args.keep.absolute()
            try:
                folder.mkdir(parents=True, exist_ok=True)
                is_empty = not any(folder.iterdir())
            except OSError as error:
                fail(f"--keep {folder}: {error.strerror}")
            if not is_empty:
                fail(f"--keep {folder}: must be an empty folder", status=2)
        # Not to the terminal: it would tear the picture.
        logging.basicConfig(filename=folder / "hub.log", format="%(levelname)s %(message)s")
        view = closing.enter_context(open_view(args.people, quiet=args.json))
        try:
            summary = _run(args, folder, view)
        except (BrokerError, DemoError) as error:
            view.close()
            if args.keep is None:
                _print_logs(folder)
            fail(str(error))
    _report(summary, as_json=args.json)
    return 0 if summary.is_good else 1


def _end(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)


def _run(args: argparse.Namespace, folder: Path, view: View) -> Summary:
    demo = Demo(
        folder,
        count=args.people,
        seed=args.seed,
        speed=args.speed,
        broker=args.broker or LocalBroker(folder),
        outage=args.outage,
        on_event=view.add_event,
    )
    return demo.run(view.show)


def _report(summary: Summary, *, as_json: bool) -> None:
    if as_json:
        print(summary.to_json())
        return
    print(
        f"{summary.people} people: {summary.admitted} admitted, {summary.referred} referred to "
        f"staff, {summary.denied} denied, {summary.rechecked} measured again.\n"
        f"{summary.events_written} events written, {summary.events_received} received: "
        f"{summary.lost} lost, {summary.duplicates} repeated, {summary.out_of_order} out of order."
    )


def _print_logs(folder: Path) -> None:
    for log in sorted(folder.glob("*.log")):
        text = log.read_text(encoding="utf-8", errors="replace")
        print(f"--- {log.name}\n{text[-2000:]}", file=sys.stderr)


def _address(text: str) -> Address:
    try:
        return parse_url(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
