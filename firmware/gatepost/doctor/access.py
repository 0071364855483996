"""Who may open a file: by its mode, its owner and the groups of a user, whoever runs the doctor."""

import stat
from pathlib import Path
from typing import NamedTuple

from gatepost.doctor.model import Wrong
from gatepost.doctor.site import GATE_UNIT, Site

GATE_USER, LINK_USER = "gatepost-gate", "gatepost-link"
# What others must never have of a secret; its group may read it, where root owns it.
STRANGERS = stat.S_IRWXO | stat.S_IWGRP


class Account(NamedTuple):
    """A user of the system, by numbers."""

    uid: int
    gids: frozenset[int]


def account(site: Site, name: str) -> Account | None:
    """Return a user with all groups, those that its unit adds included; None: there is none."""
    users = {row[0]: row for row in _rows(site, "/etc/passwd", fields=7)}
    if name not in users:
        return None
    groups = {row[0]: row for row in _rows(site, "/etc/group", fields=4)}
    added = site.unit(GATE_UNIT).get("SupplementaryGroups", "") if name == GATE_USER else ""
    gids = {int(users[name][3])}
    gids |= {
        int(row[2])
        for row in groups.values()
        if name in row[3].split(",") or row[0] in added.split()
    }
    return Account(int(users[name][2]), frozenset(gids))


def _rows(site: Site, path: str, *, fields: int) -> list[list[str]]:
    rows = (line.split(":") for line in site.text(path).splitlines())
    return [row for row in rows if len(row) == fields and row[2].isdecimal()]


def may_open(who: Account, path: Path, *, writing: bool = False) -> bool:
    """Return whether a user may read, or read and write, a file. Folders above are not looked at.

    Raises:
        OSError: it cannot be found.
    """
    found = path.stat()
    wanted = stat.S_IROTH | (stat.S_IWOTH if writing else 0)
    if who.uid == 0:
        return True
    if found.st_uid == who.uid:
        shift = 6
    elif found.st_gid in who.gids:
        shift = 3
    else:
        shift = 0
    return (found.st_mode >> shift) & wanted == wanted


def group_name(site: Site, gid: int) -> str:
    """Return the name of a group, its number where it has none."""
    for row in _rows(site, "/etc/group", fields=4):
        if int(row[2]) == gid:
            return row[0]
    return str(gid)


def device_problem(site: Site, path: Path, *, writing: bool = False) -> Wrong | None:
    """Return what keeps the gate from a device: it is not there, or may not be opened."""
    try:
        group = group_name(site, path.stat().st_gid)
        who = account(site, GATE_USER)
        if who is not None and not may_open(who, path, writing=writing):
            return Wrong("permission", {"path": path, "user": GATE_USER, "group": group})
    except OSError as error:
        return Wrong("missing", {"path": path, "why": error.strerror})
    return None
