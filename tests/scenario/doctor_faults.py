"""What is done to a good gate so that something is wrong with it."""

import errno
import os
import re
import shutil
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

from tests.services.journal_files import entry, opened

from gatepost_hal.pec import read_word_pec
from gatepost_hal.ports import Direction, InputName
from gatepost_hal.simulated.lane import SimulatedLane
from gatepost_hal.simulated.mlx90614 import ChipFault
from gatepost_services.contract.channels import CHANNELS
from gatepost_services.roster import RosterKey
from gatepost_services.roster.key import write_next
from gatepost_services.state_file import write_state
from gatepost_services.uplink.tls import certificate_state

from .doctor_bench import Bench, push_later
from .rosters import import_roster


def put(section: str, **values: object) -> Callable[[Bench], object]:
    """Return what writes settings."""
    return lambda bench: bench.settings.setdefault(section, {}).update(values)


def chip(fault: ChipFault) -> Callable[[Bench], object]:
    """Return what breaks the part or its wiring."""
    return lambda bench: setattr(bench.chip, "fault", fault)


def cell(opcode: int, word: int) -> Callable[[Bench], object]:
    """Return what was written to a cell of the part."""

    def do(bench: Bench) -> None:
        bench.chip.eeprom[opcode] = word
        bench.calibrate(chip_config=bench.chip.eeprom[0x25], chip_emissivity=1.0)
        if opcode == 0x24:
            bench.calibrate(chip_emissivity=word / 0xFFFF)

    return do


def wires(**soldered: str) -> Callable[[Bench], object]:
    """Return what solders lines, as line17="3v3"; "open" is nothing."""

    def do(bench: Bench) -> None:
        for name, wire in soldered.items():
            bench.wires[int(name.removeprefix("line"))] = wire
        bench.wires = {line: wire for line, wire in bench.wires.items() if wire != "open"}

    return do


class NoCode:
    """A bus whose part sends two bytes and no check code, as copies of it do."""

    def __init__(self, bus: Any) -> None:
        self._bus = bus

    def i2c_rdwr(self, *messages: Any) -> None:
        self._bus.i2c_rdwr(*messages)
        messages[-1].buf[2] = b"\xff"

    def close(self) -> None:
        self._bus.close()


class Stranger(NoCode):
    """A bus on which something answers that is no thermometer, with a good check code."""

    def i2c_rdwr(self, *messages: Any) -> None:
        super().i2c_rdwr(*messages)
        asked, answer = messages
        code = read_word_pec(asked.addr, asked.buf[0][0], 0x0102)
        answer.buf[0], answer.buf[1], answer.buf[2] = b"\x02", b"\x01", bytes([code])


class Loose(NoCode):
    """A bus whose plug has no contact every fifth time."""

    transfers = 0

    def i2c_rdwr(self, *messages: Any) -> None:
        Loose.transfers += 1
        if Loose.transfers % 15 < 3:
            raise OSError(errno.EREMOTEIO, "Remote I/O error")
        self._bus.i2c_rdwr(*messages)


def wrapped(by: Callable[[Any], Any]) -> Callable[[Bench], object]:
    """Return what puts something between the driver and the bus."""
    return lambda bench: setattr(bench, "wrap_bus", by)


def storm(bench: Bench) -> None:
    """Let one bit of every fifth answer flip."""

    def wrap(bus: Any) -> Any:
        bus.flip = lambda transfer: 3 if transfer % 5 == 0 else None
        return bus

    bench.wrap_bus = wrap


def other_address(bench: Bench) -> None:
    """Let the part answer elsewhere."""
    bench.address = 0x5B


def bad_bus(bench: Bench) -> None:
    """Let the adapter fail."""

    def wrap(bus: Any) -> Any:
        def fail(*_messages: Any) -> None:
            raise OSError(errno.EIO, "Input/output error")

        bus.i2c_rdwr = fail
        return bus

    bench.wrap_bus = wrap


def ambient(celsius: float) -> Callable[[Bench], object]:
    """Return what puts the part into another room."""
    return lambda bench: bench.chip.settle(celsius)


def warming(bench: Bench) -> None:
    """Let the sun come out."""
    bench.chip.room_c = 45.0
    bench.world.advance(20.0)


def removed(name: str) -> Callable[[Bench], object]:
    """Return what takes a file of the system's away."""
    return lambda bench: (bench.root / name).unlink()


def closed_to(name: str) -> Callable[[Bench], object]:
    """Return what takes the group's right to a device away."""
    return lambda bench: (bench.root / name).chmod(0o600)


def text(name: str, content: str) -> Callable[[Bench], object]:
    """Return what writes a file of the system's."""
    return lambda bench: bench.put(name, content)


def disk(**changed: object) -> Callable[[Bench], object]:
    """Return what happens to the disk."""
    return lambda bench: [setattr(bench.disk, name, value) for name, value in changed.items()]


def clock(by_s: float = 0.0, quality: str | None = None) -> Callable[[Bench], object]:
    """Return what sets the clock."""
    return lambda bench: bench.world.set_clock(by_s=by_s, quality=quality)


def gone_back(bench: Bench) -> None:
    """Let the gate have dated something tomorrow."""
    ahead_s = bench.world.utc_s() + 86_400
    state = f'[null,{ahead_s},{ahead_s},"boot",0.0,null]'
    write_state(bench.folder / "gate/clock.json", state.encode())


def corrupt(bench: Bench) -> None:
    """Turn bytes in the middle of the journal."""
    with bench.journal.open("r+b") as file:
        file.seek(9000)
        file.write(b"\xff" * 4000)


def changed_event(bench: Bench) -> None:
    """Change an event behind the gate's back."""
    with closing(sqlite3.connect(bench.journal)) as connection, connection:
        connection.execute("UPDATE live SET body = ? WHERE seq = 7", (b"{}",))


def full_journal(bench: Bench) -> None:
    """Let nearly as many events wait as there may be."""
    bench.settings["journal"] = {"max_events": 1000}
    journal = opened(bench.journal)
    journal.append([entry(number) for number in range(31, 961)])
    journal.close()


def no_reader_of_the_key(bench: Bench) -> None:
    """Let the key belong to another user than the link's."""
    gid = os.getgid()
    bench.put("etc/passwd", f"gatepost-gate:x:48711:{gid}::/:/x\ngatepost-link:x:48712:1::/:/x\n")


def common_bus(bench: Bench) -> None:
    """Put the sensor on the bus that everything else is on."""
    bench.settings["sensor"]["i2c_bus"] = bench.bus_number = 1
    bench.put("dev/i2c-1", "").chmod(0o660)
    bench.put("boot/firmware/config.txt", "dtparam=i2c_arm=on\n")


def without(unit: str) -> Callable[[Bench], object]:
    """Return what installs the other unit alone."""

    def do(bench: Bench) -> None:
        bench.under_systemd(unit)
        del bench.units[unit]

    return do


def shut_exit_reader(bench: Bench) -> None:
    """Let the reader on the inside be root's alone."""
    path = bench.put("dev/second", "")
    path.chmod(0o600)
    bench.settings["reader"]["exit_device"] = path


def set_aside(bench: Bench) -> None:
    """Leave a journal that the gate set aside."""
    bench.journal.with_name("journal.db.broken-1").write_bytes(b"x")


def foreign(bench: Bench) -> None:
    """Put another site's authority in."""
    other = type(bench.rig)(bench.folder / "other", "south")
    shutil.copyfile(other.ca, bench.ca)


def another_site(bench: Bench) -> None:
    """Put another site's files in, all of them."""
    other = type(bench.rig)(bench.folder / "other", "north")
    bench.take(other.gate())
    shutil.copyfile(other.ca, bench.ca)


def revoked(bench: Bench) -> None:
    """Give the gate a certificate that the broker's site has revoked."""
    files = bench.rig.gate("gate-1")
    bench.take(files)
    bench.rig.revoke(files)
    bench.broker.reload()


def before_the_certificate(bench: Bench) -> None:
    """Let the clock be from before the certificate began."""
    begins = certificate_state(bench.certificate).begins_utc
    bench.world.set_clock(by_s=begins.timestamp() - bench.world.utc_s() - 3600)


def another_gate(bench: Bench) -> None:
    """Give the gate the identity of another one."""
    bench.take(bench.rig.gate("gate-2"))


def access(*left_out: str) -> Callable[[Bench], object]:
    """Return what gives the broker an access list with a line for each topic, but for some."""
    lines = [
        f"pattern {'write' if each.action == 'send' else 'read'} gatepost/%u/{address}"
        for each in CHANNELS
        if (address := re.sub(r"{\w+}", "+", each.address)) not in left_out
    ]

    def do(bench: Bench) -> None:
        bench.broker.write_acl("\n".join([*lines, "pattern write gatepost/%u/reply/#", ""]))
        bench.broker.reload()

    return do


def nobody_listens(bench: Bench) -> None:
    """Point the link at a port where nobody is."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        bench.settings["link"]["broker_port"] = free.getsockname()[1]


def wide_open(bench: Bench) -> None:
    """Let everybody read the key."""
    bench.key.chmod(0o644)


def overdue(bench: Bench) -> None:
    """Let the calibration have been due last month."""
    due = bench.calibrate()
    record = due.read_text(encoding="utf-8")
    year = int(record.partition("due = ")[2][:4])
    due.write_text(
        record.replace(f"due = {year}", f"due = {year - 2}").replace(
            f"on = {year - 2}", f"on = {year - 3}"
        ),
        encoding="utf-8",
    )


def swapped_relays(bench: Bench) -> None:
    """Let each relay free the other way."""
    bench.operator.sees = ["exit", "entry"]
    bench.prepare_lane = push_later(1.0, Direction.ENTRY)


def sees(*answers: str) -> Callable[[Bench], object]:
    """Return what the operator sees of the entry's relay and the exit's."""

    def do(bench: Bench) -> None:
        bench.operator.sees = list(answers)
        bench.prepare_lane = push_later(0.3, Direction.ENTRY)

    return do


def silent_contact(bench: Bench) -> None:
    """Let nobody's turn be seen."""
    bench.prepare_lane = lambda _lane: None


def crossed_contacts(bench: Bench) -> None:
    """Let a turn inwards close the other contact."""
    bench.settings["turnstile"]["passage"] = "per_direction"
    bench.settings["pins"] = {"passage_exit": 22}

    def close_the_other(lane: SimulatedLane) -> None:
        contact = lane.contacts[InputName.PASSAGE_EXIT]
        lane.world.call_at(0.3, lambda: contact.set(active=True))

    bench.prepare_lane = close_the_other


def with_roster(do: Callable[[Bench], object] = lambda _: None) -> Callable[[Bench], object]:
    """Return what gives the gate a roster and its key, and then does something to them."""

    def make(bench: Bench) -> None:
        import_roster(bench.folder, "credential,subject,category\nP1,anna,resident\n").close()
        (bench.folder / "roster.db").rename(bench.folder / "gate/roster.db")
        # The link is another user than whoever tests.
        link = f"gatepost-link:x:48712:{os.getgid()}::/:/x\n"
        bench.put("etc/passwd", f"gatepost-gate:x:48711:{os.getgid()}::/:/x\n{link}")
        do(bench)

    return make


def other_key(bench: Bench) -> None:
    """Lay another key down than the roster's."""
    (bench.folder / "roster.key").write_text("00" * 32)


def key_that_waits(bench: Bench) -> None:
    """Let a power cut have come between a new roster and its key."""
    path = bench.folder / "roster.key"
    write_next(path, RosterKey.load(path), for_owner_of=None)
    path.write_text("00" * 32)
