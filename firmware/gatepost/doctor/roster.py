"""The roster and its key: do they belong together, and who may read the key?"""

from gatepost.doctor.access import GATE_USER, LINK_USER, account, may_open
from gatepost.doctor.model import Finding, Fine, Skipped, Wrong
from gatepost.doctor.site import Site
from gatepost_services.roster import Roster, RosterError
from gatepost_services.roster.key import next_of
from gatepost_services.roster.rows import OtherKeyError


def whole(site: Site) -> Finding:
    """Read all of the roster, and see whether the key is that which it was made with."""
    paths = site.settings.paths
    if skipped := _unreadable(site):
        return skipped
    try:
        with Roster(paths.roster, paths.roster_key) as roster:
            state = roster.check()
    except OtherKeyError:
        return Wrong("other_key", {"path": paths.roster, "key": paths.roster_key})
    except RosterError as error:
        return Wrong("unusable", {"why": error})
    return Fine(
        "{passes} passes, version {version}, as of {as_of}",
        {"passes": state.members, "version": state.version, "as_of": state.as_of_utc},
    )


def key(site: Site) -> Finding:
    """See whether the link's user could read the key, and whether a change of it was cut short."""
    path = site.settings.paths.roster_key
    if next_of(path).exists():
        return Wrong("unfinished", {"key": path})
    try:
        path.stat()
    except OSError as error:
        return Skipped("{path}: {why}", {"path": path, "why": error.strerror})
    link = account(site, LINK_USER)
    if link is not None and may_open(link, path):
        return Wrong("shared", {"key": path, "user": LINK_USER, "owner": GATE_USER})
    return Fine("for the gate alone")


def _unreadable(site: Site) -> Skipped | None:
    for path in (site.settings.paths.roster, site.settings.paths.roster_key):
        try:
            with path.open("rb"):
                pass
        except FileNotFoundError:
            if path == site.settings.paths.roster:
                return Skipped("{path}: no roster was imported yet", {"path": path})
        except OSError as error:
            return Skipped(
                "{path}: {why}; begin the command with sudo", {"path": path, "why": error.strerror}
            )
    return None
