"""Which order a gate obeys: the one that is set, by its dates; the last good one; normal."""

from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest

from gatepost.core.events import Holder
from gatepost.core.facts import Category
from gatepost.core.faults import Fault
from gatepost.core.states import State
from gatepost.gate import Gate
from gatepost.wiring.order_in_force import OrderInForce
from gatepost.wiring.passes import Passes
from gatepost.wiring.regimes import load
from gatepost_config.load import parse
from gatepost_config.regimes import path_of
from gatepost_hal.ports import Direction, InputName, PassRead, ReaderFault, ReaderFaultKind

from .rosters import import_roster

SITE = '[choices]\nunknown_code = "admit"\n'
DATED = """
[window]
start = 2022-04-01T00:00:00
end = 2022-04-05T00:00:00
before = "normal"
then = "medium-risk"
"""


class Calendar:
    """A wall clock that somebody vouches for, or not."""

    def __init__(self, utc: datetime, quality: str = "ntp") -> None:
        self.utc, self.quality = utc, quality

    def now_s(self) -> float:
        return 0.0

    def utc_s(self) -> float:
        return self.utc.timestamp()

    def utc_quality(self) -> str:
        return self.quality


@pytest.fixture
def settings(tmp_path):
    def make(name, site=None):
        regime = {"name": str(name)}
        if site is not None:
            (tmp_path / "site.toml").write_text(site, encoding="utf-8")
            regime["site"] = str(tmp_path / "site.toml")
        raw = {
            "gate": {"site": "s", "name": "north"},
            "link": {"broker_host": "localhost"},
            "paths": {
                "gate_dir": str(tmp_path),
                "roster": str(tmp_path / "roster.db"),
                "roster_key": str(tmp_path / "roster.key"),
            },
            "regime": regime,
        }
        return parse(raw, path=tmp_path / "gatepost.toml")

    return make


def april(day, hour=12):
    return Calendar(datetime(2022, 4, day, hour, tzinfo=UTC))


@pytest.fixture
def copied(tmp_path):
    """A copy of a shipped order, to be spoilt."""
    path = tmp_path / "order.toml"
    path.write_text(path_of("normal").read_text(encoding="utf-8"), encoding="utf-8")
    return path


def test_no_order_is_set_and_none_is_obeyed(settings):
    assert OrderInForce(settings(""), april(1)).current() == (None, None)


def test_the_order_that_is_set_is_obeyed_with_the_sites_lines(settings):
    regime, why_not = OrderInForce(settings("normal", SITE), april(1)).current()
    assert (regime.name, why_not) == ("normal", None)


@pytest.mark.parametrize(
    ("day", "name"), [(1, "control-window"), (4, "control-window"), (5, "medium-risk")]
)
def test_a_dated_order_holds_from_its_start_to_its_end(day, name, settings):
    order = OrderInForce(settings("control-window", DATED), april(day))
    assert order.current()[0].name == name


def test_a_dated_order_begins_at_midnight_of_the_site(settings):
    calendar = Calendar(datetime(2022, 3, 31, 15, 59, tzinfo=UTC))
    order = OrderInForce(settings("control-window", DATED), calendar)
    assert order.current()[0].name == "normal"
    calendar.utc = datetime(2022, 3, 31, 16, 0, tzinfo=UTC)
    assert order.current()[0].name == "control-window"


def test_without_a_trusted_clock_the_order_that_is_set_stands(settings):
    calendar = april(20)
    calendar.quality = "none"
    assert OrderInForce(settings("control-window", DATED), calendar).current()[0].name == (
        "control-window"
    )


def test_a_spoilt_order_leaves_the_last_good_one_in_force_and_is_told(settings, copied):
    OrderInForce(settings(copied, "[limits]\nindex_c = 38.0\n"), april(1))
    copied.write_text(copied.read_text(encoding="utf-8").replace("R013", "R913"), encoding="utf-8")
    regime, why_not = OrderInForce(settings(copied, SITE), april(1)).current()
    assert regime.limits.index_c == 38.0
    assert f"{copied}:" in why_not
    assert "R913" in why_not


def test_a_mended_order_is_obeyed_again(settings, copied):
    good = copied.read_text(encoding="utf-8")
    OrderInForce(settings(copied), april(1))
    copied.write_text("[", encoding="utf-8")
    assert OrderInForce(settings(copied), april(1)).current()[1] is not None
    copied.write_text(good, encoding="utf-8")
    assert OrderInForce(settings(copied), april(1)).current()[1] is None


@pytest.mark.parametrize(
    "kept", [None, b"", b"[]", b"7", b'[["a"]]', b'[["a", 7]]', b'[["a", "["]]']
)
def test_without_a_good_one_it_is_normal_control(kept, settings, tmp_path):
    if kept is not None:
        (tmp_path / "regime.json").write_bytes(kept)
    regime, why_not = OrderInForce(settings("/nowhere.toml"), april(1)).current()
    assert regime.name == "normal"
    assert why_not.startswith("/nowhere.toml: there is no such file.")


def test_orders_that_follow_one_another_in_a_circle_are_told(settings, copied):
    text = copied.read_text(encoding="utf-8").replace('regime = "normal"', 'regime = "own"')
    window = "[window]\nend = 2020-01-01T00:00:00\nthen = 'case'\n"
    copied.write_text(text, encoding="utf-8")
    regime, why_not = OrderInForce(settings(copied, window), april(1)).current()
    assert (regime.name, why_not) == ("case", None)


def test_where_the_last_good_one_cannot_be_kept_it_is_told(settings, tmp_path):
    (tmp_path / "regime.json").mkdir()
    regime, why_not = OrderInForce(settings("normal"), april(1)).current()
    assert regime.name == "normal"
    assert why_not.startswith("it would not outlast a bad one: ")


def test_an_entrance_that_the_order_closes_sends_everybody_elsewhere(settings):
    closed = '[entrances]\nopen = ["south"]\n'
    regime, _ = OrderInForce(settings("normal", closed), april(1)).current()
    assert not regime.entrance_open


def test_an_order_that_measures_leavers_is_told_where_nobody_can(settings):
    def order(site):
        made = settings("lockdown", site)
        regime = msgspec.structs.replace(made.regime, exits="by_pass")
        return OrderInForce(msgspec.structs.replace(made, regime=regime), april(1)).current()

    assert "lockdown measures who leaves" in order("")[1]
    assert order('[choices]\nmeasure_on_exit = "when_measured"\n')[1] is None


# ------------------------------------------------------------------------------------- in the loop


def test_the_gate_takes_over_an_order_with_its_limit_and_tells(stage):
    strict = load("lockdown")["lockdown"]
    stage.regime = (strict, None)
    assert stage.play_until(lambda: "regime.changed" in stage.types, 10.0)
    assert stage.last("regime.changed").data == {"regime": "lockdown", "before": None}
    assert stage.gate._policy.limits.limit_c == strict.limits.index_c
    stage.regime = (None, None)
    assert stage.play_until(lambda: stage.types.count("regime.changed") > 1, 10.0)
    assert stage.last("regime.changed").data == {"regime": None, "before": "lockdown"}


def test_an_order_that_cannot_be_used_is_a_fault_until_it_can(stage):
    stage.regime = (None, "no such rule: R913")
    assert stage.play_until(lambda: stage.faults == ["raised regime"], 10.0)
    stage.regime = (None, None)
    assert stage.play_until(lambda: stage.faults == ["raised regime", "cleared regime"], 10.0)


def test_a_visitor_is_turned_away_by_the_order_that_came_into_force_at_night(stage):
    stage.passes.roster["KNOWN"] = Holder("subject-1", "visitor")
    stage.regime = (load("lockdown")["lockdown"], None)
    assert stage.play_until(lambda: "regime.changed" in stage.types, 10.0)
    stage.step_up(34.2)
    stage.scan()
    assert stage.play_until(lambda: "visit.denied" in stage.types, 60.0)
    assert stage.state is State.REFUSED
    assert stage.released() == set()
    assert stage.last("visit.denied").data["regime"] == "lockdown"


@pytest.fixture
def asking(stage):
    """A lane that asks who leaves, under an order that lets no resident out."""
    order = load("lockdown")["lockdown"]
    row = order.rows[Direction.EXIT, Category.UNKNOWN]  # looks at nothing, and refers
    rows = {**order.rows, (Direction.EXIT, Category.RESIDENT): row}
    stage.policy = replace(stage.policy, exits_by_pass=True)
    stage.regime = (replace(order, rows=rows), None)
    return stage


def presses(stage):
    stage.play_until(lambda: "regime.changed" in stage.types, 10.0)
    stage.lane.contacts[InputName.EXIT_BUTTON].set(active=True)
    stage.play(0.3)
    stage.lane.contacts[InputName.EXIT_BUTTON].set(active=False)
    return [type_ for type_ in stage.types if type_.startswith("exit.")]


def test_a_button_alone_lets_nobody_out_where_the_order_is_asked(asking):
    asking.gate = asking.restart()
    assert presses(asking) == ["exit.refused"]


def test_a_reader_inside_that_is_gone_holds_nobody_in(asking):
    asking.gate = asking.restart()
    asking.gate._take(ReaderFault(1.0, ReaderFaultKind.GONE, "unplugged", Direction.EXIT))
    assert presses(asking) == ["exit.released"]
    asking.play(30.0)
    asking.gate._take(PassRead(1.0, "NOBODYS", Direction.EXIT))
    asking.play(20.0)
    asking.log.entries.clear()
    asking.lane.contacts[InputName.EXIT_BUTTON].set(active=True)
    asking.play(0.3)
    assert "exit.refused" in asking.types


def test_a_roster_that_cannot_be_read_holds_nobody_in(asking):
    asking.gate = asking.restart()
    broken = Gate(
        asking.hardware,
        policy=asking.policy,
        sensing=asking.gate._sensing,
        log=asking.log,
        surroundings=asking._surroundings(),
        known_faults={Fault.ROSTER: "no such file"},
    )
    assert not broken._policy.exits_by_pass


# ---------------------------------------------------------------------------------- what is known


@pytest.mark.parametrize(("word", "category"), [("resident", "resident"), ("plumber", "unknown")])
def test_the_roster_says_the_category_and_that_the_pass_is_valid(
    word, category, settings, tmp_path
):
    import_roster(tmp_path, "credential,subject,category\nP,anna,resident\n")
    with ExitStack() as closing:
        passes = Passes(settings(""), april(1), "boot", closing)
        facts = passes.known(Holder("anna", word), Direction.ENTRY)
    assert (facts.category.value, facts.shown.id, facts.shown.valid) == (category, "anna", True)
    assert facts.now == datetime(2022, 4, 1, 12, tzinfo=UTC)
    assert Fault.ROSTER not in passes.faults
