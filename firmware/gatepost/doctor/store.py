"""What must last: the disk, the journal on it, and the files that nobody else may read."""

import errno
import re
from pathlib import Path

from gatepost.doctor.access import STRANGERS
from gatepost.doctor.model import Finding, Fine, Skipped, Wrong
from gatepost.doctor.site import Site
from gatepost_config.settings import NOTHING
from gatepost_services.journal import JournalError
from gatepost_services.journal.figures import Figures, figures
from gatepost_services.journal.verify import verify
from gatepost_services.uplink.position import read_acknowledged

_MEGABYTE = 1_000_000
_ROOM = 0.9  # of what the journal may hold, before it begins to drop
_SLOW_SHARE = 0.25  # of the time that a person waits for a record
# JEDEC eMMC 5.0, EXT_CSD: life time in steps of 10 %, 0x0B is beyond it; pre-EOL 3 is urgent.
_WORN, _WORN_OUT, _URGENT = 9, 11, 3


def folder(site: Site) -> Finding:
    """Write a small file where the gate keeps its journal."""
    path = site.settings.paths.gate_dir
    try:
        took_s = site.disk.write_s(path)
    except PermissionError:
        return Skipped(
            "{path}: this user may not write there; begin the command with sudo", {"path": path}
        )
    except OSError as error:
        name = "no_room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "read_only"
        return Wrong(name, {"path": path, "why": error.strerror})
    values = {"path": path, "ms": round(took_s * 1000)}
    if took_s > _SLOW_SHARE * site.settings.journal.append_deadline_s:
        return Wrong("slow", values)
    return Fine("{path}: written and on the disk in {ms} ms", values)


def space(site: Site) -> Finding:
    """See how much room there is."""
    path, least = site.settings.paths.gate_dir, site.settings.journal.min_free_megabytes
    try:
        free = site.disk.free_bytes(path) // _MEGABYTE
    except FileNotFoundError:
        return Wrong("missing", {"path": path})
    except OSError as error:
        return Skipped(f"{path}: {error.strerror}")
    values = {"path": path, "free": free, "least": least}
    if free < least:
        return Wrong("full", values)
    return Wrong("short", values) if free < 2 * least else Fine("{free} MB free", values)


def wear(site: Site) -> Finding:
    """Read how worn the flash says it is. SD cards mostly do not say."""
    worst = 0
    for device in sorted(site.at("/sys/block").glob("mmcblk*/device")):
        words = " ".join(_text(device / name) for name in ("life_time",)).split()
        worst = max([worst, *(int(word, 16) for word in words if re.fullmatch(r"0x\w+", word))])
        if _text(device / "pre_eol_info").strip() in ("0x03", "0x3"):
            worst = max(worst, _WORN_OUT)
    if not worst:
        return Skipped("this disk does not tell how worn it is")
    values = {"used": min(worst * 10, 100)}
    if worst >= _WORN_OUT:
        return Wrong("out", values)
    return Wrong("worn", values) if worst >= _WORN else Fine("at most {used} % used up", values)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def journal(site: Site) -> Finding:
    """Walk the whole journal."""
    paths = site.settings.paths
    found = _readable(paths.journal)
    if found is not None:
        return found
    try:
        report = verify(paths.journal, delivered_seq=read_acknowledged(paths.acknowledged))
    except JournalError as error:
        return Wrong("broken", {"path": paths.journal, "why": error})
    if not report.is_whole:
        values = {"path": paths.journal, "why": report.findings[0].text}
        return Wrong("broken", values)
    return Fine(
        "whole: {events} events, {first} to {last}",
        {"events": report.events, "first": report.first_seq, "last": report.last_seq},
    )


def _readable(path: Path) -> Skipped | None:
    try:
        with path.open("rb"):
            return None
    except FileNotFoundError:
        return Skipped("{path}: the gate has recorded nothing yet", {"path": path})
    except OSError as error:
        return Skipped(
            "{path}: {why}; begin the command with sudo", {"path": path, "why": error.strerror}
        )


def room(site: Site) -> Finding:
    """See whether the journal is near its bounds, and what was set aside."""
    paths, limits = site.settings.paths, site.settings.journal
    try:
        now: Figures = figures(
            paths.journal, read_acknowledged(paths.acknowledged), site.clock.utc_s()
        )
    except JournalError as error:
        return Skipped(str(error))
    values = {"undelivered": now.undelivered, "most": limits.max_events}
    if now.undelivered > _ROOM * limits.max_events:
        return Wrong("full", values)
    if now.set_aside:
        return Wrong("set_aside", {"files": ", ".join(now.set_aside), "folder": paths.gate_dir})
    return Fine(
        "{undelivered} events wait for the server; {bytes} bytes",
        {**values, "bytes": f"{now.file_bytes:,}"},
    )


def secrets(site: Site) -> Finding:
    """See whether others may read what must stay secret."""
    settings = site.settings
    files = [
        settings.tls.key,
        settings.paths.roster_key,
        settings.passes.step_secret,
        settings.paths.device_key,
    ]
    checked, wide = 0, []
    for path in files:
        if path == NOTHING:
            continue
        try:
            mode = path.stat().st_mode
        except OSError:
            continue  # who needs it says that it is missing
        checked += 1
        if mode & STRANGERS:
            wide.append(path)
    if wide:
        names = " ".join(map(str, wide))
        return Wrong("open", {"files": names})
    return Fine("for their owners alone: {count}", {"count": checked})
