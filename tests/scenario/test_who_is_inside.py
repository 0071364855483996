"""How many are inside, as an order asks: counted at the passage, kept over a restart."""

from contextlib import ExitStack

import pytest

from gatepost.core.rules import decide
from gatepost.wiring.passes import Passes
from gatepost.wiring.regimes import load as load_regimes
from gatepost_config.load import load
from gatepost_hal.ports import Direction
from gatepost_hal.simulated.world import World

from .rosters import import_roster

WORKERS = [f"w{number}" for number in range(1, 6)]
ROSTER = "credential,subject,category\n" + "".join(
    f"P-{subject},{subject},{category}\n"
    for subject, category in [*((worker, "works") for worker in WORKERS), ("anna", "resident")]
)
WITH_EXIT = '[reader]\nexit_device = "/dev/exit"\n'


@pytest.fixture
def start(config, tmp_path):
    """Make the passes of a gate under an order, as after each start."""
    import_roster(tmp_path, ROSTER)
    text = config.read_text()
    with ExitStack() as closing:

        def make(more=WITH_EXIT, boot_id="boot"):
            closing.pop_all().close()
            config.write_text(f'{text}[regime]\nname = "normal"\n{more}')
            return Passes(load(config), World(), boot_id, closing)

        yield make


def known(passes, subject):
    return passes.known(passes.look_up(f"P-{subject}"), Direction.ENTRY)


def test_workers_are_counted_when_they_walked_in_and_out(start):
    passes = start()
    assert known(passes, "w1").works_inside == 0
    for worker in WORKERS[:3]:
        passes.note(worker, Direction.ENTRY)
    passes.note("anna", Direction.ENTRY)
    assert known(passes, "w4").works_inside == 3
    assert known(passes, "w4").people_inside == 4
    passes.note("w2", Direction.EXIT)
    assert known(passes, "w4").works_inside == 2


def test_a_worker_who_counts_as_inside_does_not_count_against_himself(start):
    passes = start()
    passes.note("w1", Direction.ENTRY)
    passes.note("w1", Direction.ENTRY)
    assert known(passes, "w1").works_inside == 0
    assert known(passes, "w1").people_inside == 0
    assert known(passes, "w2").works_inside == 1


def test_the_count_outlasts_a_restart(start):
    passes = start()
    passes.note("w1", Direction.ENTRY)
    assert known(start(boot_id="another"), "w2").works_inside == 1


def test_after_an_evacuation_nobody_is_inside(start):
    passes = start()
    passes.note("w1", Direction.ENTRY)
    passes.forgive()
    assert known(passes, "w2").works_inside == 0


def test_without_a_reader_inside_the_count_is_unknown(start):
    passes = start(more="")
    passes.note("w1", Direction.ENTRY)
    assert known(passes, "w2").works_inside is None
    assert known(passes, "w2").people_inside is None


def test_r083_the_fifth_worker_stays_out_until_one_has_left(start, tmp_path):
    site = tmp_path / "site.toml"
    site.write_text('[choices]\nunknown_code = "admit"\n[findings]\n' + CODE_UNKNOWN)
    regime = load_regimes("normal", site)["normal"]
    passes = start()
    for worker in WORKERS[:4]:
        assert "R083" not in decide(known(passes, worker), regime).rules
        passes.note(worker, Direction.ENTRY)
    refused = decide(known(passes, "w5"), regime)
    assert (refused.release, refused.reason) == (False, "works_full")
    passes.note("w1", Direction.EXIT)
    assert decide(known(passes, "w5"), regime).reason != "works_full"


CODE_UNKNOWN = 'code_unknown = { then = "admit", rules = ["ours"] }\n'
