"""The roster and anti-passback with a real file, as the gate has them."""

from contextlib import ExitStack

import pytest

from gatepost.core.events import Holder
from gatepost.core.faults import Fault
from gatepost.core.passback import ALREADY_INSIDE, TOO_SOON
from gatepost.wiring.passes import Passes
from gatepost_config.load import load
from gatepost_hal.ports import Direction
from gatepost_hal.simulated.world import World

from .rosters import import_roster

ROSTER = "credential,subject,category,mark\nP1,anna,resident,\nP2,anna,resident,duress\n"


@pytest.fixture
def site(config, tmp_path):
    """Make the passes of a gate, as after each start; `world` is its clock."""
    import_roster(tmp_path, ROSTER)
    text = config.read_text()
    with ExitStack() as closing:

        class Site:
            world = World()
            folder = tmp_path

            def start(self, passback: str, *, boot_id: str = "boot") -> Passes:
                closing.pop_all().close()
                config.write_text(f"{text}[passback]\n{passback}\n")
                return Passes(load(config), self.world, boot_id, closing)

        yield Site()


TIMED = 'mode = "timed"\nwindow_s = 600'
INTERVAL = "pass_interval_s = 60"


def test_a_marked_credential_is_its_holders_pass_under_duress(site):
    passes = site.start("")
    assert passes.look_up("P1") == Holder("anna", "resident")
    assert passes.look_up("P2") == Holder("anna", "resident", duress=True)
    assert passes.look_up("P3") is None


def test_who_is_inside_is_objected_to_also_after_a_restart(site):
    passes = site.start(TIMED)
    holder = passes.look_up("P1")
    assert passes.object_to(holder) is None
    assert passes.note("anna", Direction.ENTRY) is None
    assert passes.object_to(holder) == (ALREADY_INSIDE, True)
    assert site.start(TIMED, boot_id="another").object_to(holder) == (ALREADY_INSIDE, True)


def test_who_left_comes_in_again(site):
    passes = site.start(TIMED)
    passes.note("anna", Direction.ENTRY)
    passes.note("anna", Direction.EXIT)
    assert passes.object_to(passes.look_up("P1")) is None


def test_one_pass_does_not_enter_twice_within_its_interval(site):
    passes = site.start(INTERVAL)
    passes.note("anna", Direction.ENTRY)
    passes.note("anna", Direction.EXIT)
    assert passes.object_to(passes.look_up("P1")) == (TOO_SOON, True)
    site.world.advance(60.0)
    assert passes.object_to(passes.look_up("P1")) is None


def test_after_an_evacuation_everybody_may_come_home(site):
    passes = site.start(TIMED)
    passes.note("anna", Direction.ENTRY)
    assert passes.forgive() is None
    assert passes.object_to(passes.look_up("P1")) is None
    assert site.start(TIMED).object_to(Holder("anna", "resident")) is None


def test_who_has_not_come_for_a_month_is_forgotten_in_memory_too(site):
    passes = site.start('mode = "soft"')
    passes.note("anna", Direction.ENTRY)
    site.world.advance(31 * 86400.0)
    passes.note("bert", Direction.ENTRY)
    assert passes.object_to(passes.look_up("P1")) is None


def test_without_a_rule_nothing_is_kept(site):
    passes = site.start("")
    passes.note("anna", Direction.ENTRY)
    assert not (site.folder / "gate" / "whereabouts.db").exists()


def test_a_damaged_file_is_a_fault_and_the_gate_begins_anew(site):
    (site.folder / "gate" / "whereabouts.db").write_bytes(b"not a database at all" * 100)
    passes = site.start(TIMED)
    assert "set aside" in passes.faults[Fault.WHEREABOUTS]
    assert passes.object_to(passes.look_up("P1")) is None
    assert passes.note("anna", Direction.ENTRY) is None


def test_a_file_that_cannot_be_had_is_a_fault_and_memory_does_its_work(site):
    (site.folder / "gate").rmdir()
    passes = site.start(TIMED)
    assert Fault.WHEREABOUTS in passes.faults
    assert passes.note("anna", Direction.ENTRY) == passes.faults[Fault.WHEREABOUTS]
    assert passes.object_to(passes.look_up("P1")) == (ALREADY_INSIDE, True)


def test_a_roster_that_cannot_be_used_makes_every_pass_unknown(site):
    (site.folder / "roster.db").write_text("nonsense\n" * 100)
    passes = site.start("")
    assert "gatepost roster import" in passes.faults[Fault.ROSTER]
    assert passes.look_up("P1") is None
