"""What each rule about the time of day does, in the words of the table in firmware/CLOCK.md.

Each function takes a site whose clock is of some quality, looks, and returns the words of one cell.
What comes out otherwise is "?", which stands in no cell.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

from gatepost.core.events import Record
from gatepost.core.facts import Code, DatedCode, Proof, ProofKind
from gatepost.core.faults import Fault
from gatepost.core.findings import CHECKS, Site
from gatepost.core.regime import Check, Finding, Limits
from gatepost.wiring.disinfection import Disinfection
from gatepost.wiring.lane import _quiet
from gatepost.wiring.ledgers import Ledgers
from gatepost.wiring.order_in_force import OrderInForce
from gatepost.wiring.trusted_clock import trusted_now
from gatepost_hal.simulated.world import World
from gatepost_services.commands.command import Role, ServerCommand, ServerVerb
from gatepost_services.commands.judge import objection
from gatepost_services.credentials import steps
from gatepost_services.credentials.keys import Use
from gatepost_services.record import Entry

from .clock_site import ENTRY, EXIT, ClockSite
from .signed_codes import HOUR, NOW, SERVER, certificate, pass_of, trusted
from .stage import Stage
from .test_thermometer_trust import calibrated
from .test_wiring_records import events, run

ORDER = '[regime]\nname = "medium-risk"\n[reader]\nexit_device = "/dev/exit"\n'
DAY = timedelta(days=1)
IN_TIME, NO_CLOCK = "by its times", "refused: `no_clock`"
WALL, STAFF = "by the wall clock", "staff reads it: `no_clock`"
LIMITS = Limits(37.3, code_hours=24.0)


Words = dict[object, str]


def _one(words: Words, found: object) -> str:
    return words.get(found, "?")


# ------------------------------------------------------------------------------------- the order


def order_dates(site: ClockSite) -> str:
    lines = "[window]\nstart = 2022-02-01T00:00:00\nend = 2022-03-01T00:00:00\nthen = 'normal'\n"
    (site.folder / "site.toml").write_text(lines)
    settings = site.settings(f'[regime]\nname = "lockdown"\nsite = "{site.folder}/site.toml"\n')
    regime, _ = OrderInForce(settings, site.world).current()
    assert regime is not None
    words: Words = {"normal": "by its dates", "lockdown": "as if it had none"}
    return _one(words, regime.name)


def age_of_a_test(site: ClockSite) -> str:
    tests = (Proof(ProofKind.NEGATIVE, NOW - 20 * HOUR), Proof(ProofKind.NEGATIVE, NOW - 60 * HOUR))
    return _aged(site, Check.TEST, [{"test": test} for test in tests], Finding.NO_TEST)


def age_of_a_code(site: ClockSite) -> str:
    codes = (DatedCode(Code.GREEN, NOW - 2 * HOUR), DatedCode(Code.GREEN, NOW - 30 * HOUR))
    found = [{"health_code": code} for code in codes]
    return _aged(site, Check.HEALTH_CODE, found, Finding.CODE_UNKNOWN)


def _aged(site: ClockSite, check: Check, facts: list[dict], too_old: Finding) -> str:
    known = site.known(site.passes(), "P1", ENTRY)
    place = Site(LIMITS, NOW.tzinfo)
    found = tuple(CHECKS[check].look(replace(known, **each), place) for each in facts)
    both = (Finding.NO_CLOCK, Finding.NO_CLOCK)
    return _one({(None, too_old): "by its age", both: STAFF}, found)


def days_since_a_risk_area(site: ClockSite) -> str:
    code = pass_of("v-1", risk_area_utc=NOW - 20 * DAY)
    shown = site.shown(site.codes(ORDER), code)
    return _one({20: "counted", 0: "just now"}, shown.known.risk_area_days)


def outing_is_counted(site: ClockSite) -> str:
    passes = site.passes(ORDER)
    passes.note("anna", EXIT)
    site.as_ntp()
    last = site.known(passes, "P1", EXIT).household_last_exit
    return _one({True: "counted", False: "not counted"}, last == NOW)


def outing_is_due(site: ClockSite) -> str:
    site.as_ntp()
    passes = site.passes(ORDER)
    passes.note("anna", EXIT)
    site.later(hours=5)
    site.as_asked()
    found = CHECKS[Check.QUOTA].look(site.known(passes, "P2", EXIT), Site(LIMITS, NOW.tzinfo))
    return _one({Finding.OVER_QUOTA: "kept in until its day", None: "let out"}, found)


# ---------------------------------------------------------------------------------------- passes


def pass_under_an_order(site: ClockSite) -> str:
    codes = site.codes(ORDER)
    now = site.shown(codes, pass_of("v-1", 1)).known
    ended = site.shown(codes, pass_of("v-2", 2, expires_utc=NOW - timedelta(minutes=1)))
    found = (now.shown.valid, ended.refusal)
    return _one({(True, "expired"): IN_TIME, (None, None): "nobody vouches for it"}, found)


def pass_without_an_order(site: ClockSite) -> str:
    codes = site.codes()
    ended = pass_of("v-2", 2, expires_utc=NOW - timedelta(minutes=1))
    found = tuple(site.shown(codes, code).refusal for code in (pass_of("v-1", 1), ended))
    return _one({(None, "expired"): IN_TIME, ("no_clock", "no_clock"): NO_CLOCK}, found)


def step_of_a_pass(site: ClockSite) -> str:
    path = site.folder / "step.secret"
    path.write_text(bytes(range(32)).hex())
    path.chmod(0o600)
    codes = site.codes(f'step_secret = "{path}"\n')
    key = steps.pass_key(bytes(range(32)), (1).to_bytes(16))
    code, now = pass_of("v-1", 1, step_s=30), steps.step_at(NOW, 30)
    found = tuple(site.shown(codes, steps.show(code, key, step)).refusal for step in (now - 9, now))
    return _one({("step", None): "by its step", ("no_clock", "no_clock"): NO_CLOCK}, found)


def dates_of_a_key(site: ClockSite) -> str:
    ended = replace(trusted(SERVER, Use.PASS), not_after_utc=NOW - HOUR)
    codes = site.codes(keys=(ended,))
    found = site.shown(codes, pass_of("v-1", 1, expires_utc=None)).refusal
    return _one({"expired": "by its dates", None: "counts while it is listed"}, found)


def a_test_certificate(site: ClockSite) -> str:
    codes = site.codes(ORDER)
    found = tuple(site.shown(codes, certificate(hours_ago=hours)).refusal for hours in (3, -3))
    return _one({(None, "no_test"): "by its dates", ("no_clock",) * 2: NO_CLOCK}, found)


def age_of_the_trust_list(site: ClockSite) -> str:
    codes = site.codes(issued_utc=NOW - 30 * DAY)
    told = codes.faults()[Fault.TRUST] is not None
    return _one({True: "told", False: "not told"}, told)


def age_of_the_roster(site: ClockSite) -> str:
    passes = site.passes("[roster]\nmax_age_days = 7\n", as_of=NOW - 30 * DAY)
    told = passes.roster_faults()[Fault.ROSTER_STALE] is not None
    return _one({True: "told", False: "not told"}, told)


def uses_that_are_counted(site: ClockSite) -> str:
    site.as_ntp()
    codes = site.codes()
    assert codes.use(site.shown(codes, pass_of("v-1", 1, uses=1)).holder) is None
    site.as_asked()
    site.later(days=3)
    codes.faults()
    ((kept,),) = codes._verifier._replay._read("SELECT count(*) FROM uses")
    return _one({0: "forgotten a day after its end", 1: "kept"}, kept)


# ----------------------------------------------------------------------------------- who is where


def _objections(site: ClockSite, boot_id: str, more: str, *minutes: float) -> tuple[bool, ...]:
    """Return whether somebody who came in is kept out so many minutes later, in some boot."""
    site.as_ntp()
    site.passes(more).note("anna", ENTRY)
    site.as_asked()
    found = []
    for wait in minutes:
        site.later(minutes=wait)
        passes = site.passes(more, boot_id=boot_id)
        holder = passes.look_up("P1")
        assert holder is not None
        found.append(passes.object_to(holder) is not None)
    return tuple(found)


TIMED = '[passback]\nmode = "timed"\nwindow_s = 600\n'
INTERVAL = "[passback]\npass_interval_s = 600\n"


def passback_in_this_boot(site: ClockSite) -> str:
    found = _objections(site, "boot", TIMED, 5, 6)
    return _one({(True, False): "by the monotonic clock"}, found)


def passback_of_another_boot(site: ClockSite) -> str:
    found = _objections(site, "another", TIMED, 5, 6)
    return _one({(True, False): WALL, (False, False): "keeps nobody out"}, found)


def interval_of_another_boot(site: ClockSite) -> str:
    found = _objections(site, "another", INTERVAL, 5, 6)
    return _one({(True, False): WALL, (False, False): "keeps nobody out"}, found)


def hard_passback(site: ClockSite) -> str:
    more = f'{ORDER}[passback]\nmode = "hard"\n'
    found = _objections(site, "another", more, 5, 60 * 24 * 20)
    return _one({(True, True): "knows no time"}, found)


def whereabouts_of_another_boot(site: ClockSite) -> str:
    more = '[passback]\nmode = "soft"\n'
    site.as_ntp()
    site.passes(more).note("anna", ENTRY)
    site.later(days=31)
    site.as_asked()
    passes = site.passes(more, boot_id="another")
    passes.note("ben", ENTRY)
    return _one({True: "kept", False: "forgotten"}, "anna" in passes._sightings)


# --------------------------------------------------------------------------------------- the books


def _ledgers(site: ClockSite, boot_id: str) -> Ledgers:
    path = site.folder / "ledger.json"
    return Ledgers(path, site.world, boot_id, escort_s=4 * 3600.0, again_s=600.0)


def _walks(site: ClockSite, type_: str, way: str) -> Record:
    data = {"subject": "guest", "direction": way, "category": "visitor", "escort": "anna"}
    return Record(type_, site.world.now_s(), data)


def a_visit_of_another_boot(site: ClockSite) -> str:
    _ledgers(site, "boot").follow(_walks(site, "passage.entered", "entry"))
    site.later(hours=3)
    early = [each.type for each in _ledgers(site, "another").due()]
    site.later(hours=2)
    late = [each.type for each in _ledgers(site, "another").due()]
    told = tuple(types.count("escort.overdue") for types in (early, late))
    return _one({(0, 1): WALL, (1, 0): "told at once"}, told)


def length_of_a_visit_of_another_boot(site: ClockSite) -> str:
    _ledgers(site, "boot").follow(_walks(site, "passage.entered", "entry"))
    site.later(hours=3)
    (closed,) = _ledgers(site, "another").follow(_walks(site, "passage.left", "exit"))
    return _one({10_800.0: "told", None: "null"}, closed.data["lasted_s"])


def an_escalation_over_a_restart(site: ClockSite) -> str:
    raised = Record("escalation.raised", 0.0, {"who": "community"})
    _ledgers(site, "boot").follow(raised)
    site.later(minutes=9)
    again = [len(_ledgers(site, "another").due())]
    site.later(minutes=2)
    again.append(len(_ledgers(site, "another").due()))
    return _one({(0, 1): WALL}, tuple(again))


def disinfection_of_another_boot(site: ClockSite) -> str:
    path = site.folder / "disinfection.json"
    Disinfection(path, site.world, "boot").done()
    site.later(hours=11)
    due = [Disinfection(path, site.world, "another").due(2) is not None]
    site.later(hours=2)
    due.append(Disinfection(path, site.world, "another").due(2) is not None)
    return _one({(False, True): WALL, (True, True): "due"}, tuple(due))


def age_of_what_the_journal_keeps(site: ClockSite) -> str:
    settings = site.settings()
    old = Entry("visit.admitted", 0.0, (NOW - 100 * DAY).timestamp(), {})
    run(settings, site.world, *[[old]] * 4)
    gaps = [event for event in events(settings) if event.type == "gatepost.journal.gap"]
    return _one({True: "given up when too old", False: "kept"}, bool(gaps))


# ---------------------------------------------------------------------------------------- the lane


def date_of_the_calibration(site: ClockSite) -> str:
    stage = Stage(
        sensor={"calibration": "required", "supply_v": 3.3},
        calibrations=calibrated(due_utc_s=World().utc_s() + 5.0),
        prepare=lambda lane: lane.world.set_clock(quality=site.quality),
    )
    stage.play(20.0)
    told = "raised calibration_due" in stage.faults
    stage.close()
    return _one({True: "told", False: "not told"}, told)


def quiet_hours(site: ClockSite) -> str:
    here = NOW.astimezone()
    begin, end = (f"{here + timedelta(minutes=each):%H:%M}" for each in (-1, 1))
    is_quiet = _quiet(f"{begin}-{end}", site.world)
    found = [is_quiet()]
    site.later(minutes=5)
    found.append(is_quiet())
    return _one({(True, False): WALL, (False, False): "as by day"}, tuple(found))


# -------------------------------------------------------------------------------------- the centre


def _command(site: ClockSite, verb: ServerVerb, role: Role) -> tuple[str | None, ...]:
    """Return what speaks against a command of now, and of an hour ago."""
    now_s = int(NOW.timestamp())
    found = []
    for at_s in (now_s, now_s - 3600):
        command = ServerCommand(
            jti="1",
            aud="/gatepost/s/g",
            iat=at_s,
            nbf=at_s,
            exp=at_s + 30,
            counter=1,
            verb=verb,
            by="staff",
        )
        against = objection(
            command,
            frozenset({role}),
            highest=0,
            now_utc=trusted_now(site.world),
            known_since_s=now_s - 1e6,
        )
        found.append(None if against is None else against[0].value)
    return tuple(found)


def a_command_for_now(site: ClockSite) -> str:
    refused = ("clock_untrusted", "clock_untrusted")
    words: Words = {(None, "expired"): "in its window", refused: "refused: `clock_untrusted`"}
    return _one(words, _command(site, ServerVerb.RELEASE_ENTRY, Role.OPERATOR))


def a_command_for_any_time(site: ClockSite) -> str:
    words: Words = {(None, "expired"): "in its window", (None, None): "obeyed, once"}
    return _one(words, _command(site, ServerVerb.REPLAY, Role.AUDITOR))


RULES: MappingProxyType[str, Callable[[ClockSite], str]] = MappingProxyType(
    {
        "the dates of an order": order_dates,
        "how old a test may be": age_of_a_test,
        "how old a green code may be": age_of_a_code,
        "the days since a risk area, of a signed pass": days_since_a_risk_area,
        "an outing, when somebody walks out": outing_is_counted,
        "a household's next outing": outing_is_due,
        "the times of a signed pass, under an order": pass_under_an_order,
        "the times of a signed pass, without an order": pass_without_an_order,
        "the step of a pass that changes": step_of_a_pass,
        "the dates of a key that signs passes": dates_of_a_key,
        "a test certificate": a_test_certificate,
        "a trust list that is too old": age_of_the_trust_list,
        "a roster that is too old": age_of_the_roster,
        "the count of a pass's uses": uses_that_are_counted,
        "anti-passback for a while, in one boot": passback_in_this_boot,
        "anti-passback for a while, over a restart of the machine": passback_of_another_boot,
        "the interval of a pass, over a restart of the machine": interval_of_another_boot,
        "anti-passback until the exit is seen": hard_passback,
        "who has not walked for 30 days, in another boot": whereabouts_of_another_boot,
        "a visit that is too long, begun in another boot": a_visit_of_another_boot,
        "how long such a visit was": length_of_a_visit_of_another_boot,
        "an escalation that waits, over a restart of the machine": an_escalation_over_a_restart,
        "a disinfection in another boot": disinfection_of_another_boot,
        "how old an event may be that no server took": age_of_what_the_journal_keeps,
        "the date of the thermometer's calibration": date_of_the_calibration,
        "quiet hours": quiet_hours,
        "a command that is meant for now": a_command_for_now,
        "a command that may come late": a_command_for_any_time,
    }
)
