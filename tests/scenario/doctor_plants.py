"""The faults that are planted, one a row: what is done to a good gate, and what must be said."""

import errno
import os
import socket
from collections.abc import Callable
from typing import NamedTuple

from gatepost_hal.simulated.mlx90614 import ChipFault

from .doctor_bench import GATE, LINK, Bench
from .doctor_faults import (
    Loose,
    NoCode,
    Stranger,
    access,
    ambient,
    another_gate,
    another_site,
    bad_bus,
    before_the_certificate,
    cell,
    changed_event,
    chip,
    clock,
    closed_to,
    common_bus,
    corrupt,
    crossed_contacts,
    disk,
    foreign,
    full_journal,
    gone_back,
    key_that_waits,
    no_reader_of_the_key,
    nobody_listens,
    other_address,
    other_key,
    overdue,
    put,
    removed,
    revoked,
    sees,
    set_aside,
    shut_exit_reader,
    silent_contact,
    storm,
    text,
    warming,
    wide_open,
    wires,
    with_roster,
    without,
    wrapped,
)

UNITS = ("unit.gate", "unit.link", "unit.hardening")
ROSTER = ("roster.whole", "roster.key")


class Plant(NamedTuple):
    """One fault.

    Attributes:
        name: what the doctor must call it, and nothing else.
        remedy: what its remedy must hold.
        do: plants it.
        chosen: which checks are run; none: all.
        move: whether the turnstile may be moved.
    """

    name: str
    remedy: str
    do: Callable[[Bench], object]
    chosen: tuple[str, ...] = ()
    move: bool = False


PLANTS = (
    # ------------------------------------------------------------------------------ settings
    Plant("config.file/unknown", "gatepost config check", put("lane", measure_timeout=3)),
    Plant("config.file/refused", "gatepost config check", put("screening", limit_c=200)),
    Plant("config.file/contradicts", "gatepost config check", put("sensor", distance_cm=50.0)),
    # --------------------------------------------------------------------------- the machine
    Plant(
        "supply.voltage/low",
        "5.1 V",
        lambda b: b.commands.update({"vcgencmd get_throttled": "throttled=0x50005\n"}),
    ),
    Plant(
        "supply.voltage/was_low",
        "get_throttled",
        lambda b: b.commands.update({"vcgencmd get_throttled": "throttled=0x50000\n"}),
    ),
    Plant(
        "supply.voltage/hot",
        "Shade",
        lambda b: b.commands.update({"vcgencmd get_throttled": "throttled=0x80008\n"}),
    ),
    Plant("system.users/missing", "systemd-sysusers", text("etc/passwd", "root:x:0:0::/:/x\n")),
    Plant("clock.year/implausible", "timedatectl", clock(by_s=-1_700_000_000.0)),
    Plant("clock.source/none", "battery", clock(quality="none")),
    Plant("clock.source/restored", "NTP", clock(quality="restored")),
    Plant("clock.behind/behind", "time server", gone_back),
    Plant(
        "clock.zone/utc",
        "set-timezone",
        lambda b: (
            put("signals", quiet_hours="22:00-06:00")(b),
            b.put("etc/timezone", "Etc/UTC\n"),
        ),
    ),
    # ----------------------------------------------------------------------------- processes
    Plant(
        "unit.gate/disabled",
        "enable --now",
        lambda b: b.under_systemd(GATE, UnitFileState="disabled"),
        UNITS,
    ),
    Plant("unit.gate/missing", "Install the units", without(GATE), UNITS),
    Plant(
        "unit.link/restarts",
        "journalctl",
        lambda b: b.under_systemd(LINK, ActiveState="activating"),
        UNITS,
    ),
    Plant(
        "unit.link/stopped",
        "systemctl start",
        lambda b: b.under_systemd(LINK, ActiveState="inactive"),
        UNITS,
    ),
    Plant(
        "unit.gate/failed",
        "journalctl",
        lambda b: b.under_systemd(GATE, ActiveState="failed", Result="exit-code"),
        UNITS,
    ),
    Plant(
        "unit.gate/restarts", "journalctl", lambda b: b.under_systemd(GATE, NRestarts="17"), UNITS
    ),
    Plant(
        "unit.gate/stopped",
        "systemctl start",
        lambda b: b.under_systemd(GATE, ActiveState="inactive"),
        UNITS,
    ),
    Plant("unit.link/missing", "Install the units", without(LINK), UNITS),
    Plant(
        "unit.link/failed",
        "gatepost-uplink",
        lambda b: b.under_systemd(LINK, ActiveState="failed", Result="oom-kill"),
        UNITS,
    ),
    Plant(
        "unit.link/disabled",
        "enable --now",
        lambda b: b.under_systemd(LINK, UnitFileState="disabled"),
        UNITS,
    ),
    Plant(
        "unit.hardening/weak",
        "drop-in",
        lambda b: b.under_systemd(GATE, PrivateNetwork="no"),
        UNITS,
    ),
    # --------------------------------------------------------------------------------- lines
    Plant("gpio.chip/missing", "Raspberry Pi", removed("dev/gpiochip0")),
    Plant("gpio.chip/permission", "usermod", closed_to("dev/gpiochip0")),
    Plant("gpio.strict/missing", "strict_gpiod", text("proc/cmdline", "console=tty1\n")),
    Plant(
        "gpio.lines/refused",
        "gpioinfo",
        lambda b: setattr(b, "lines_error", OSError("GPIO 17 cannot be claimed")),
    ),
    Plant("relay.polarity/active_low", "relay_active", wires(line17="up", line27="up")),
    Plant(
        "relay.polarity/active_high",
        "relay_active",
        lambda b: (
            put("turnstile", relay_active="low")(b),
            put("pins", entry_relay=7, exit_relay=8)(b),
            wires(line7="down", line8="up")(b),
        ),
    ),
    Plant("output.rest/high", "10 kOhm", wires(line12="3v3")),
    Plant("input.rest/swapped", "Swap", wires(line16="open", line25="ground")),
    Plant("input.rest/alarm", "continuity", wires(line16="open")),
    Plant("input.rest/housing", "Close the housing", put("pins", tamper=19)),
    Plant("input.rest/held", "PERCo", wires(line24="ground")),
    Plant(
        "relay.resistor/missing",
        "10 kOhm",
        lambda b: (wires(line27="open")(b), sees()(b)),
        move=True,
    ),
    Plant("relay.entry/swapped", "Swap the two wires", sees("exit", "exit"), move=True),
    Plant("relay.entry/dead", "Measure the line", sees("none", "exit"), move=True),
    Plant("relay.exit/both", "bridge", sees("entry", "both"), move=True),
    Plant("relay.exit/swapped", "Swap the two wires", sees("entry", "entry"), move=True),
    Plant("relay.exit/dead", "Measure the line", sees("entry", "none"), move=True),
    Plant("relay.entry/both", "bridge", sees("both", "exit"), move=True),
    Plant("passage.signal/silent", "passage output", silent_contact, move=True),
    Plant("passage.signal/swapped", "passage_exit", crossed_contacts, move=True),
    # ------------------------------------------------------------------------ bus and sensor
    Plant(
        "i2c.overlay/clash",
        "i2c_gpio_sda=2",
        text("boot/firmware/config.txt", "dtoverlay=i2c-gpio,bus=3\n"),
    ),
    Plant("i2c.overlay/shared", "bus of its own", common_bus),
    Plant("i2c.device/missing", "dtoverlay=i2c-gpio", removed("dev/i2c-3")),
    Plant("i2c.device/permission", "usermod", closed_to("dev/i2c-3")),
    Plant("i2c.speed/fast", "i2c_gpio_delay_us=4", lambda b: b.speed("clock-frequency", 400_000)),
    Plant("i2c.speed/slow", "i2c_gpio_delay_us=4", lambda b: b.speed("i2c-gpio,delay-us", 50)),
    Plant("i2c.bus/stuck", "short of SDA", chip(ChipFault.STUCK_BUS)),
    Plant("i2c.bus/error", "wiring", bad_bus),
    Plant("sensor.answers/absent", "5 V part", chip(ChipFault.NACK)),
    Plant("sensor.answers/elsewhere", "address = 91", other_address),
    Plant("sensor.answers/flagged", "5 V part", chip(ChipFault.ERROR_FLAG)),
    Plant("sensor.answers/impossible", "MLX90614", wrapped(Stranger)),
    Plant("sensor.answers/loose", "loose plug", wrapped(Loose)),
    Plant("sensor.answers/floating", "SDA", chip(ChipFault.ALL_ONES)),
    Plant("sensor.answers/floating", "SDA", chip(ChipFault.ALL_ZEROS)),
    Plant("sensor.pec/none", "copy", wrapped(NoCode)),
    Plant("sensor.pec/always", "Shorten", chip(ChipFault.BAD_PEC)),
    Plant("sensor.pec/disturbed", "Shorten or shield", storm),
    Plant("sensor.part/filters", "code on the can", cell(0x25, 0x9FB0)),
    Plant("sensor.part/quiet", "code on the can", lambda b: b.part(noise_c=0.04)),
    Plant("sensor.noise/noisy", "supply of its own", lambda b: b.part(noise_c=0.6)),
    Plant("sensor.noise/frozen", "off and on", chip(ChipFault.FROZEN)),
    Plant("sensor.ambient/impossible", "replace the sensor", ambient(75.0)),
    Plant("sensor.ambient/outside", "outside_ambient", ambient(5.0)),
    Plant("sensor.ambient/drifts", "sun, wind", warming),
    Plant("sensor.emissivity/changed", "gatepost calibrate", cell(0x24, 62_258)),
    Plant("sensor.calibration/missing", "gatepost calibrate", lambda b: b.calibrate().unlink()),
    Plant("sensor.calibration/damaged", "from a copy", lambda b: b.calibrate().write_text("x")),
    Plant("sensor.calibration/changed", "again", lambda b: b.calibrate(chip_config=0x9FB0)),
    Plant("sensor.calibration/due", "blackbody", overdue),
    # ------------------------------------------------------------------------------- readers
    Plant("reader.entry/missing", "by-id", removed("dev/scanner")),
    Plant("reader.entry/permission", "usermod", closed_to("dev/scanner")),
    Plant("reader.entry/stdin", "by-id", put("reader", device="/dev/stdin")),
    Plant("reader.exit/stdin", "exit_device", put("reader", exit_device="/dev/stdin")),
    Plant("reader.exit/permission", "usermod", shut_exit_reader),
    Plant("reader.exit/missing", "exit_device", put("reader", exit_device="/nowhere/scanner")),
    # ------------------------------------------------------------------------- what lasts
    Plant(
        "disk.space/missing",
        "systemd-tmpfiles",
        lambda b: put("paths", gate_dir=b.folder / "nowhere")(b),
    ),
    Plant("disk.space/full", "journalctl --vacuum", disk(free=150_000_000)),
    Plant("disk.space/short", "larger card", disk(free=300_000_000)),
    Plant("disk.write/read_only", "dmesg", disk(error=OSError(errno.EROFS, os.strerror(30)))),
    Plant("disk.write/no_room", "df -i", disk(error=OSError(errno.ENOSPC, os.strerror(28)))),
    Plant("disk.write/slow", "A2", disk(took_s=1.2)),
    Plant("disk.wear/worn", "Order", text("sys/block/mmcblk0/device/life_time", "0x09 0x02\n")),
    Plant(
        "disk.wear/out", "Replace it now", text("sys/block/mmcblk0/device/pre_eol_info", "0x03\n")
    ),
    Plant("journal.whole/broken", "gatepost journal verify", corrupt),
    Plant("journal.whole/broken", "gatepost journal verify", changed_event),
    Plant("journal.room/full", "Bring the link up", full_journal),
    Plant("journal.room/set_aside", "--file", set_aside),
    Plant("secret.mode/open", "chmod o-rwx", wide_open),
    Plant("roster.whole/other_key", "gatepost roster import", with_roster(other_key), ROSTER),
    Plant(
        "roster.whole/unusable",
        "gatepost roster import",
        with_roster(lambda b: (b.folder / "gate/roster.db").write_bytes(b"broken" * 1000)),
        ROSTER,
    ),
    Plant("roster.key/unfinished", "sudo gatepost roster key", with_roster(key_that_waits), ROSTER),
    Plant(
        "roster.key/shared",
        "systemd-tmpfiles",
        with_roster(lambda b: (b.folder / "roster.key").chmod(0o640)),
        ROSTER,
    ),
    # ------------------------------------------------------------------------------ the link
    Plant("tls.files/missing", "gatepost enrol", lambda b: b.certificate.unlink()),
    Plant("tls.files/unreadable", "chown", no_reader_of_the_key),
    Plant("tls.pair/mismatch", "pair", lambda b: b.take_key(b.rig.gate("gate-3").key)),
    Plant("tls.pair/damaged", "from a copy", lambda b: b.certificate.write_text("x")),
    Plant("tls.chain/foreign", "ca.pem", foreign),
    Plant("tls.dates/early", "Set the clock", before_the_certificate),
    Plant("tls.dates/ended", "gatepost enrol", lambda b: b.take(b.rig.gate(ended=True))),
    Plant("tls.dates/ends", "--renew", put("tls", warn_days=365.0)),
    Plant(
        "broker.name/unknown",
        "getent hosts",
        lambda b: setattr(b, "resolve_error", socket.gaierror(-2, "Name or service not known")),
    ),
    Plant("broker.port/refused", "Start the broker", nobody_listens),
    Plant(
        "broker.tls/plain",
        "enrol",
        put("link", transport="plain", broker_host="127.1"),
        ("broker.tls",),
    ),
    Plant("broker.tls/stranger", "this site's broker", another_site),
    Plant("broker.identity/refused", "revoked", revoked),
    Plant("broker.topics/refused", "services/acl", another_gate),
    Plant("broker.topics/partly", "pattern write gatepost/%u/status", access("status")),
)
