"""The settings, the clock, the units of systemd, and what the running gate says of itself."""

from datetime import UTC, datetime

from gatepost.core.faults import FAULTS, Fault
from gatepost.core.words import Text
from gatepost.doctor.access import device_problem
from gatepost.doctor.model import Finding, Fine, Skipped, Wrong, printable
from gatepost.doctor.site import GATE_UNIT, LINK_UNIT, Site
from gatepost.wiring.clock_watch import clock_file, read_known
from gatepost.wiring.last_good import last_good_beside, without_secrets
from gatepost.wiring.order_in_force import check_order
from gatepost.wiring.readers import connections
from gatepost.wiring.thermometer import part_problems
from gatepost_config.load import ConfigError
from gatepost_hal.ports import Direction

_MOST_PROBLEMS = 3
_FIRST_YEAR, _LAST_YEAR = 2025, 2099
_BEHIND_S = 60.0
_MOST_RESTARTS = 3
# What keeps the gate off the network, and the link off the devices (design, 1).
_HARDENING = {
    GATE_UNIT: {"PrivateNetwork": "yes", "DevicePolicy": "closed", "NoNewPrivileges": "yes"},
    LINK_UNIT: {"PrivateDevices": "yes", "NoNewPrivileges": "yes"},
}
_STDIN = "/dev/stdin"


def config(site: Site) -> Finding:
    """See whether the gate would start with its settings."""
    if site.loaded is None:
        told = [without_secrets(problem) for problem in site.refused]
        is_unknown = all("no such set" in each or "no such section" in each for each in told)
        is_missing = any("there is no such file" in each for each in told)
        name = "missing" if is_missing else "unknown" if is_unknown else "refused"
        shown = printable(" ".join(told[:_MOST_PROBLEMS]))
        more = len(told) - _MOST_PROBLEMS
        if more > 0:
            shown = Text("{problems} And {more} more.", {"problems": shown, "more": more})
        kept = last_good_beside(site.config)
        if kept is not None:
            shown = Text(
                "{why} The gate goes on with its last good settings, in use since {since}.",
                {"why": shown, "since": kept.since},
            )
        return Wrong(name, {"why": shown})
    problems = part_problems(site.loaded)
    try:
        check_order(site.loaded)
    except ConfigError as error:
        problems += error.problems
    if problems:
        return Wrong("contradicts", {"why": " ".join(problems[:_MOST_PROBLEMS])})
    return Fine(
        "{path}: gate {gate} of {site}",
        {"path": site.config, "gate": site.loaded.gate.name, "site": site.loaded.gate.site},
    )


def clock_year(site: Site) -> Finding:
    """See whether the date can be right."""
    told = datetime.fromtimestamp(site.clock.utc_s(), UTC)
    values = {"said": f"{told:%Y-%m-%d %H:%M} UTC"}
    if not _FIRST_YEAR <= told.year <= _LAST_YEAR:
        return Wrong("implausible", values)
    return Fine(values["said"])


def clock_source(site: Site) -> Finding:
    """See who vouches for the clock."""
    match site.clock.utc_quality():
        case "none":
            return Wrong("none")
        case "restored":
            return Wrong("restored")
        case "rtc":
            return Fine("a clock with a battery")
        case "ntp":
            return Fine("a time server")


def clock_behind(site: Site) -> Finding:
    """See whether the clock is behind what this gate dated already."""
    known = read_known(clock_file(site.settings))
    behind_s = known.trusted_s - site.clock.utc_s()
    if behind_s > _BEHIND_S:
        return Wrong("behind", {"hours": f"{behind_s / 3600:.1f}"})
    return Fine("not behind what was dated already")


def clock_zone(site: Site) -> Finding:
    """See whether local times are meant and the zone was never set."""
    settings = site.settings
    needs = [
        text
        for text, is_set in (
            (
                f'[signals] quiet_hours = "{settings.signals.quiet_hours}"',
                settings.signals.quiet_hours,
            ),
            (f'[regime] name = "{settings.regime.name}"', settings.regime.name),
        )
        if is_set
    ]
    zone = site.text("/etc/timezone") or _link(site)
    if needs and zone in ("", "Etc/UTC", "UTC", "Etc/UCT", "Universal"):
        return Wrong("utc", {"needs": " and ".join(needs)})
    return Fine(zone) if zone else Fine("none is set, and none is needed")


def _link(site: Site) -> str:
    try:
        target = str(site.at("/etc/localtime").readlink())
    except OSError:
        return ""
    return target.partition("zoneinfo/")[2]


def gate_unit(site: Site) -> Finding:
    """See whether the gate is started at every boot, runs, and stays."""
    return _unit(site, GATE_UNIT)


def link_unit(site: Site) -> Finding:
    """See the same of the link."""
    return _unit(site, LINK_UNIT)


def _unit(site: Site, name: str) -> Finding:
    told = site.unit(name)
    if not told:
        return Skipped("no systemd to ask")
    values = {"unit": name, "state": told.get("ActiveState", ""), "result": told.get("Result", "")}
    if told.get("LoadState") == "not-found":
        return Wrong("missing", values)
    if told.get("UnitFileState") not in ("enabled", "enabled-runtime", "static"):
        return Wrong("disabled", values)
    restarts = told.get("NRestarts", "0")
    if told.get("ActiveState") == "activating" or int(restarts or 0) > _MOST_RESTARTS:
        return Wrong("restarts", {**values, "restarts": restarts})
    if told.get("ActiveState") == "failed":
        return Wrong("failed", values)
    if told.get("ActiveState") != "active":
        return Wrong("stopped", values)
    return Fine("enabled, and runs")


def hardening(site: Site) -> Finding:
    """See whether a drop-in took the wall between the processes down."""
    weak = []
    for name, wanted in _HARDENING.items():
        told = site.unit(name)
        if told.get("LoadState") != "loaded":
            return Skipped("the units are not there")
        weak += [
            f"{name}: {key}={told.get(key, '')}"
            for key, value in wanted.items()
            if told.get(key) != value
        ]
    return Wrong("weak", {"settings": ", ".join(weak)}) if weak else Fine("the wall stands")


def gate_faults(site: Site) -> Finding:
    """Ask the running gate what it finds wrong."""
    if not site.gate.is_running:
        return Skipped("the gate does not run")
    if not site.gate.status:
        return Wrong("silent")
    standing = [Fault(name) for name in site.gate.status.get("faults", [])]
    if standing:
        remedies = {each.value: Text(FAULTS[each].remedy) for each in standing}
        told = Text("; ".join(f"{name}: {{{name}}}" for name in remedies), remedies)
        is_mild = all(FAULTS[each].effect.startswith("none") for each in standing)
        values = {"faults": ", ".join(each.value for each in standing), "told": told}
        return Wrong("mild" if is_mild else "standing", values)
    return Fine("none; state {state}", {"state": site.gate.status.get("state", "")})


def entry_reader(site: Site) -> Finding:
    """Look for the reader at the entry."""
    return _reader(site, Direction.ENTRY)


def exit_reader(site: Site) -> Finding:
    """Look for the reader on the inside."""
    return _reader(site, Direction.EXIT)


def _reader(site: Site, way: Direction) -> Finding:
    found = [each for each in connections(site.settings.reader) if each.direction is way]
    if not found:
        return Skipped("none is set")
    path = found[0].device
    if str(path) == _STDIN:
        return Wrong("stdin")
    return device_problem(site, path) or Fine(str(path))
