"""Signed passes and certificates as the gate has them: real files and a real trust list."""

from contextlib import ExitStack
from datetime import timedelta

import pytest

from gatepost.core.facts import Category, Code, ProofKind
from gatepost.core.faults import Fault
from gatepost.core.rules import decide
from gatepost.core.session import Need
from gatepost.wiring.credentials import RosterOnly, brings, credentials
from gatepost.wiring.passes import Passes
from gatepost.wiring.regimes import load as load_regimes
from gatepost_config.load import load
from gatepost_hal.ports import Direction
from gatepost_services.credentials.claims import DatedCode, DatedTest

from .rosters import import_roster
from .signed_codes import HOUR, NOW, ROOT_HEX, SERVER, certificate, pass_of, push_list

ROSTER = (
    "credential,subject,category,household,mark\nP1,anna,resident,h1,\nP2,ben,resident,,isolated\n"
)
ENTRY, EXIT = Direction.ENTRY, Direction.EXIT


class Clock:
    """The two clocks of a gate; somebody vouches for the wall's, or not."""

    def __init__(self) -> None:
        self.utc, self.quality, self.monotonic_s = NOW, "ntp", 100.0

    def now_s(self) -> float:
        return self.monotonic_s

    def utc_s(self) -> float:
        return self.utc.timestamp()

    def utc_quality(self) -> str:
        return self.quality


class Site:
    """A gate's knowledge of passes; `start` is a restart."""

    def __init__(self, config, folder, closing):
        self.clock, self._config, self._closing = Clock(), config, closing
        self.settings = load(config)
        self.folder = folder
        self.starts = 0

    def start(self):
        self._closing.pop_all().close()
        self.starts += 1
        boot_id = f"boot-{self.starts}"
        self.passes = Passes(self.settings, self.clock, boot_id, self._closing)
        self.codes = credentials(self.settings, self.passes, self.clock, self._closing)
        return self.codes

    def shows(self, code, direction=ENTRY):
        return self.codes.shown(code, direction, self.clock.now_s())


@pytest.fixture
def site(config, tmp_path):
    import_roster(tmp_path, ROSTER)
    text = config.read_text()
    more = f'[passes]\nroot_key = "{ROOT_HEX}"\n[regime]\nname = "medium-risk"\n'
    config.write_text(f'{text}{more}[reader]\nexit_device = "/dev/exit"\n')
    with ExitStack() as closing:
        site = Site(config, tmp_path, closing)
        push_list(site.settings.paths.trust_list)
        site.start()
        yield site
        closing.close()


def test_what_can_be_brought_goes_by_who_signs(site):
    assert brings(site.settings) == frozenset(Need)
    assert site.codes.faults()[Fault.TRUST] is None


def test_a_signed_pass_is_its_holders_with_all_that_it_says(site):
    shown = site.shows(
        pass_of(
            "v-1",
            household="h9",
            registered=True,
            escort="anna",
            health_code=DatedCode("green", NOW - HOUR),
            test=DatedTest("sampled", NOW - HOUR),
            risk_area_utc=NOW - timedelta(days=20),
        )
    )
    assert (shown.holder.subject, shown.holder.category, shown.holder.pass_id) == (
        "v-1", "visitor", None,
    )  # fmt: skip
    facts = shown.known
    assert facts.category is Category.VISITOR
    assert (facts.shown.id, facts.shown.household, facts.shown.valid) == ("v-1", "h9", True)
    assert (facts.health_code.code, facts.health_code.seen) == (Code.GREEN, NOW - HOUR)
    assert facts.trip_card.code is Code.UNKNOWN
    assert (facts.test.kind, facts.test.taken) == (ProofKind.SAMPLED, NOW - HOUR)
    assert (facts.registered, facts.needs_escort, facts.risk_area_days) == (True, "anna", 20)


def test_a_pass_of_the_roster_works_beside_it(site):
    shown = site.shows("P1")
    assert (shown.holder.subject, shown.known.registered) == ("anna", True)
    assert site.shows("nobody's").holder is None


def test_whom_the_roster_isolates_no_signed_pass_frees(site):
    shown = site.shows(pass_of("ben", category="resident"))
    assert shown.known.isolated


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"expires_utc": NOW - HOUR / 2}, "expired"),
        ({"not_before_utc": NOW + HOUR / 2}, "not_yet"),
        ({"gates": ("south",)}, "elsewhere"),
        ({"direction": "exit"}, "elsewhere"),
        ({"site": "other"}, "elsewhere"),
    ],
)
def test_a_pass_that_is_not_good_here_and_now_says_why(site, changed, refusal):
    shown = site.shows(pass_of("v-1", **changed))
    assert (shown.holder, shown.known, shown.refusal) == (None, None, refusal)


def test_a_code_that_only_looks_like_one_is_of_nobody(site):
    code = pass_of("v-1")
    assert site.shows(code[:-6]).refusal is not None
    assert site.shows("GP1:").refusal == "format"
    assert site.shows("HC1:").refusal == "format"
    assert site.shows(certificate(key=SERVER)).refusal == "unknown_key"


def test_a_photographed_pass_of_one_use_works_once_also_over_a_restart(site):
    code = pass_of("v-1", uses=1)
    holder = site.shows(code).holder
    assert site.codes.use(holder) is None
    assert site.shows(code).refusal == "used"
    assert site.codes.use(holder) is not None  # shown twice before it was used once
    site.start()
    assert site.shows(code).refusal == "used"


def test_who_was_granted_and_did_not_walk_has_it_again(site):
    code = pass_of("v-1", uses=1)
    holder = site.shows(code).holder
    assert site.codes.use(holder) is None
    site.codes.give_back(holder)
    assert site.codes.use(site.shows(code).holder) is None


def test_without_a_clock_nobody_vouches_for_a_pass_with_times(site):
    site.clock.quality = "none"
    shown = site.shows(pass_of("v-1"))
    assert shown.known.shown.valid is None
    assert site.codes.faults()[Fault.TRUST] is None  # the clock is at fault, not the list


def test_without_a_clock_a_pass_without_times_is_as_good_as_before(site):
    site.clock.quality = "none"
    shown = site.shows(pass_of("c-1", category="resident", expires_utc=None))
    assert shown.known.shown.valid is True  # how old the list is, is our doubt and not theirs


def test_a_list_that_is_too_old_vouches_for_nobody_and_is_told(site):
    site.clock.utc += 169 * HOUR
    shown = site.shows(pass_of("v-1", expires_utc=NOW + 500 * HOUR))
    assert shown.known.shown.valid is None
    assert "max_list_age_hours" in site.codes.faults()[Fault.TRUST]


def test_a_list_that_is_not_there_is_told_and_refuses_signed_passes_alone(site):
    site.settings.paths.trust_list.unlink()
    site.start()
    assert site.codes.faults()[Fault.TRUST] is not None
    assert site.shows(pass_of("v-1")).refusal == "unknown_key"
    assert site.shows("P1").holder.subject == "anna"


def test_counts_that_are_damaged_are_set_aside_and_told(site):
    code = pass_of("v-1", uses=1)
    site._closing.pop_all().close()
    site.settings.paths.pass_uses.write_bytes(b"junk" * 4096)
    site.start()
    assert "set aside as" in site.codes.faults()[Fault.TRUST]
    assert site.shows(code).refusal == "no_memory"  # nobody knows whether it was used
    assert site.shows("P1").holder.subject == "anna"


def test_a_pass_that_a_new_list_revokes_is_refused_from_then_on(site):
    code = pass_of("v-1", number=7)
    assert site.shows(code).holder is not None
    revoked = frozenset({(7).to_bytes(16)})
    push_list(site.settings.paths.trust_list, version=2, revoked_passes=revoked)
    assert site.shows(code).refusal == "revoked"


def test_a_negative_test_is_brought_by_a_certificate(site):
    shown = site.shows(certificate(hours_ago=5))
    assert shown.refusal is None
    assert shown.brought.kinds == ("test",)
    assert (shown.brought.test.kind, shown.brought.test.taken) == (
        ProofKind.NEGATIVE,
        NOW - 5 * HOUR,
    )


def test_a_positive_one_brings_nothing_and_says_so(site):
    shown = site.shows(certificate(found=True))
    assert (shown.brought.kinds, shown.refusal) == ((), "not_negative")


def test_without_a_clock_a_certificate_is_none(site):
    site.clock.quality = "none"
    assert site.shows(certificate()).refusal == "no_clock"


def test_an_outing_by_a_signed_pass_counts_for_its_household_over_a_restart(site):
    regime = load_regimes("medium-risk")["medium-risk"]
    fields = {"category": "resident", "household": "h9"}
    first = site.shows(pass_of("c-1", **fields), EXIT)
    assert decide(first.known, regime).release
    assert site.passes.note("c-1", EXIT) is None
    second = site.shows(pass_of("c-2", number=2, **fields), EXIT)
    assert decide(second.known, regime).reason == "over_quota"


def test_where_no_key_signs_a_signed_code_is_a_pass_of_nobody(config, tmp_path):
    import_roster(tmp_path, ROSTER)
    settings = load(config)
    with ExitStack() as closing:
        passes = Passes(settings, Clock(), "boot", closing)
        codes = credentials(settings, passes, Clock(), closing)
        assert type(codes) is RosterOnly
        assert brings(settings) == {Need.ESCORT}
        assert codes.shown(pass_of("v-1"), ENTRY, 0.0).holder is None
        assert codes.shown("P1", ENTRY, 0.0).holder.subject == "anna"


@pytest.fixture
def orderless(config, tmp_path):
    """Make a site that has no order: nobody but the gate itself can say no."""
    import_roster(tmp_path, ROSTER)
    config.write_text(f'{config.read_text()}[passes]\nroot_key = "{ROOT_HEX}"\n')
    with ExitStack() as closing:
        site = Site(config, tmp_path, closing)
        push_list(site.settings.paths.trust_list)
        site.start()
        yield site
        closing.close()


def test_without_an_order_and_a_clock_a_pass_with_times_is_refused(orderless):
    assert orderless.shows(pass_of("v-1")).holder is not None
    orderless.clock.quality = "none"
    assert orderless.shows(pass_of("v-1")).refusal == "no_clock"
    lasting = pass_of("c-1", category="resident", expires_utc=None)
    assert orderless.shows(lasting).holder is not None


@pytest.mark.parametrize("escort", [True, "anna"])
def test_without_an_order_a_pass_that_wants_an_escort_lets_nobody_in(orderless, escort):
    code = pass_of("v-1", escort=escort)
    assert orderless.shows(code).refusal == "no_escort"
    assert orderless.shows(code, EXIT).holder is not None
