"""Builds the pass readers on this machine."""

from contextlib import ExitStack
from pathlib import Path
from typing import Literal, NamedTuple

from gatepost_config.settings import NOTHING, Reader, ReaderKind
from gatepost_hal.ports import Clock, Direction, Mailbox
from gatepost_hal.readers.device import DeviceReader
from gatepost_hal.readers.line import LineReader

_BITS: dict[ReaderKind, Literal[26, 34]] = {"wiegand26": 26, "wiegand34": 34}


class Connection(NamedTuple):
    """How one reader is connected."""

    direction: Direction
    kind: ReaderKind
    device: Path
    d0: int
    d1: int
    baud: int


def connections(reader: Reader) -> list[Connection]:
    """Return the readers that there are."""
    ways = (
        Connection(Direction.ENTRY, reader.kind, reader.device, reader.d0, reader.d1, reader.baud),
        Connection(
            Direction.EXIT,
            reader.exit_kind,
            reader.exit_device,
            reader.exit_d0,
            reader.exit_d1,
            reader.baud,
        ),
    )
    return [way for way in ways if way.device != NOTHING]


def open_readers(reader: Reader, *, clock: Clock, mailbox: Mailbox, closing: ExitStack) -> None:
    """Let the readers read, until `closing` ends them.

    One that is missing is an event, and is looked for: fire and exit work without any.
    """
    for connection in connections(reader):
        closing.callback(connect(connection, clock=clock, mailbox=mailbox).close)


def connect(connection: Connection, *, clock: Clock, mailbox: Mailbox) -> DeviceReader:
    """Return one reader, which reads from now on."""
    direction, kind, device, d0, d1, baud = connection
    if kind == "line":
        return LineReader(device, clock=clock, mailbox=mailbox, direction=direction, baud=baud)
    # A gate pays for the reader that it has.
    if kind == "keyboard":
        from gatepost_hal.readers.keyboard import KeyboardReader  # noqa: PLC0415

        return KeyboardReader(device, clock=clock, mailbox=mailbox, direction=direction)
    from gatepost_hal.readers.wiegand import WiegandReader  # noqa: PLC0415

    return WiegandReader(
        device,
        d0=d0,
        d1=d1,
        bits=_BITS[kind],
        clock=clock,
        mailbox=mailbox,
        direction=direction,
    )
