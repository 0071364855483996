"""A file to send to somebody who is to help: what was found, settings, versions, last faults.

No secret and nobody's name: the settings as they were read (no comments, no unknown keys), events
of the machine alone by a list of types, and log lines in which whatever could be a pass, a token
or a key is struck out.
"""

import gzip
import io
import json
import os
import platform
import re
import sys
import tarfile
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from gatepost import __version__
from gatepost.doctor.model import Result
from gatepost.doctor.report import as_json
from gatepost.doctor.site import GATE_UNIT, LINK_UNIT, Site
from gatepost.wiring.health import figures
from gatepost_services.contract.events import WireError, decode
from gatepost_services.journal import JournalReader, JournalUnavailable

_PACKAGES = ("cryptography", "gpiozero", "lgpio", "msgspec", "paho-mqtt", "smbus2")
# Of the machine, never of a person. Of these, what is told in words is struck as the log is.
_TYPES = (
    *("fault.raised", "fault.cleared", "health.reported", "journal.gap", "journal.lost"),
    *("journal.withheld", "store.corrupt", "thermometer.found", "thermometer.learnt"),
    *("clock.behind", "clock.changed", "clock.stepped", "controller.failed", "controller.overrun"),
    *("controller.started", "controller.stopped", "config.changed", "document.refused"),
)
_PREFIX = "gatepost."
_EVENTS_BACK, _MOST_EVENTS, _LOG_LINES = 5000, 200, "200"
# Keys of the settings whose value is nobody's business, whatever they hold one day.
_SECRET_KEY = re.compile(r"(?i)secret|password|token|root_key")
# What a pass, a token, a key or a hash may look like: a code's prefix, or a long run of letters and
# digits that is no word, no path and no name of a unit.
_STRUCK = re.compile(
    r"HC1:\S+|shc:/\S+|[Ww](?:26|34):\d+:\d+|"
    r"\b(?=[A-Za-z0-9+/=_-]*\d)[A-Za-z0-9+=_-]{12,}|\b\d{6,}\b|'[^']*'|\"[^\"]*\""
)


def write_bundle(path: Path, site: Site, results: Sequence[Result]) -> list[str]:
    """Write the bundle, for its owner alone; return the names of what is in it.

    Raises:
        OSError: it cannot be written; FileExistsError where something is there.
    """
    parts = dict(_parts(site, results))
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        for name, text in parts.items():
            content = text.encode()
            member = tarfile.TarInfo(f"gatepost-doctor/{name}")
            member.size, member.mode = len(content), 0o600
            archive.addfile(member, io.BytesIO(content))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(packed.getvalue())
            # For whoever began the command with sudo, who is to send it.
            owner = os.environ.get("SUDO_UID", "")
            if os.geteuid() == 0 and owner.isdecimal():
                os.fchown(descriptor, int(owner), -1)
    except OSError:
        path.unlink(missing_ok=True)  # it would be in the way of the next one
        raise
    return list(parts)


def _parts(site: Site, results: Sequence[Result]) -> Iterator[tuple[str, str]]:
    yield "doctor.json", _json(as_json(results, version=__version__))
    yield "versions.json", _json(_versions(site))
    yield "machine.json", _json(figures(site.root, site.at("/")))
    if site.loaded is not None:
        built = msgspec.to_builtins(site.loaded, enc_hook=str)
        yield "settings.json", _json(_without_secrets(built))
        yield "events.json", _json(_events(site))
    yield "log.txt", _log(site)


def _json(value: object) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _versions(site: Site) -> dict[str, Any]:
    packages: dict[str, str | None] = {}
    for name in _PACKAGES:
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            packages[name] = None
    release = dict(
        line.split("=", 1) for line in site.text("/etc/os-release").splitlines() if "=" in line
    )
    return {
        "gatepost": __version__,
        "python": sys.version.split()[0],
        "kernel": platform.release(),
        "system": release.get("PRETTY_NAME", "").strip('"'),
        "model": site.text("/proc/device-tree/model"),
        "packages": packages,
    }


def _without_secrets(settings: Any) -> Any:
    return {
        section: {
            key: "(not in the bundle)" if _SECRET_KEY.search(key) and value else value
            for key, value in content.items()
        }
        for section, content in settings.items()
    }


def _events(site: Site) -> list[dict[str, Any]]:
    """Return the last events of the machine, the newest last."""
    found: list[dict[str, Any]] = []
    try:
        path = site.settings.paths.journal
        if not path.exists():
            return []
        with JournalReader(path) as reader:
            first = max(reader.last_seq() - _EVENTS_BACK, 0)
            bodies = [record.body for record in reader.read(first, _EVENTS_BACK).records]
    except (JournalUnavailable, OSError) as error:
        return [{"unreadable": type(error).__name__}]
    for body in bodies:
        try:
            event = decode(body)
        except WireError:
            continue
        if event.type.removeprefix(_PREFIX) in _TYPES:
            found.append(
                {
                    "seq": event.seq,
                    "utc_s": event.utc_s,
                    "type": event.type,
                    "data": _told(event.data),
                }
            )
    return found[-_MOST_EVENTS:]


def _told(value: Any) -> Any:
    match value:
        case dict():
            return {key: _told(each) for key, each in value.items()}
        case list() | tuple():
            return [_told(each) for each in value]
        case str():
            return _STRUCK.sub("...", value)
        case _:
            return value


def _log(site: Site) -> str:
    units = [word for unit in (GATE_UNIT, LINK_UNIT) for word in ("-u", unit)]
    ran = site.run(["journalctl", *units, "-n", _LOG_LINES, "-o", "short-iso", "--no-pager"])
    if ran is None or ran.status:
        return "no log of systemd's here\n"
    return "".join(_struck_line(line) for line in ran.out.splitlines())


def _struck_line(line: str) -> str:
    # The date stands first, without a space in it.
    date, space, rest = line.partition(" ")
    return f"{date}{space}{_STRUCK.sub('...', rest)}\n"
