"""Faults planted one at a time: the doctor names that one, with its remedy, and nothing else."""

import pytest
from tests.services.tls_rig import OWN_TOPICS, Rig, TlsBroker

from gatepost.doctor import broker as broker_checks
from gatepost.doctor.model import Level, texts
from gatepost_hal.ports import Direction

from .doctor_bench import BAD, Bench, push_later, wrong
from .doctor_faults import with_roster
from .doctor_plants import PLANTS

pytestmark = pytest.mark.processes
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def site_of_tls(tmp_path_factory):
    rig = Rig(tmp_path_factory.mktemp("doctor") / "site")
    files = rig.gate()
    with TlsBroker(rig) as broker:
        yield rig, broker, files


@pytest.fixture
def bench(site_of_tls, tmp_path, monkeypatch):
    # A slow machine makes the test slow, and not red.
    monkeypatch.setattr(broker_checks, "_CONNECT_S", PATIENCE_S)
    monkeypatch.setattr(broker_checks, "_ANSWER_S", PATIENCE_S)
    rig, broker, files = site_of_tls
    made = Bench(tmp_path, rig, broker, files)
    made.prepare_lane = push_later(0.3, Direction.ENTRY)
    yield made
    if (broker.folder / "acl").read_text() != OWN_TOPICS:
        broker.write_acl(OWN_TOPICS)
        broker.reload()


def test_nothing_is_wrong_with_a_good_gate(bench):
    results = bench.examine(move=True)
    assert wrong(results) == set()
    skipped = {result.id for result in results if result.level is Level.NOT_CHECKED}
    assert skipped == {
        *("unit.gate", "unit.link", "unit.hardening", "gate.faults", "reader.exit"),
        *("roster.whole", "roster.key"),
    }


def test_nothing_is_wrong_with_a_good_roster(bench):
    with_roster()(bench)
    found = {each.id: each for each in bench.examine("roster.whole", "roster.key")}
    assert found["roster.whole"].says.startswith("1 passes, version 1, as of 1970")
    assert found["roster.key"].says == "for the gate alone"
    assert {each.level for each in found.values()} == {Level.OK}


@pytest.mark.parametrize("plant", PLANTS, ids=[plant.name for plant in PLANTS])
def test_it_names_the_fault_that_is_there_and_no_other(plant, bench):
    plant.do(bench)
    results = bench.examine(*plant.chosen, move=plant.move)
    assert wrong(results) == {plant.name}
    (found,) = [result for result in results if result.level in BAD]
    assert plant.remedy in found.remedy
    assert found.says
    assert found.means == texts()[found.id].problems[found.problem].means
    # Nothing was left to be filled in, and no check fell over.
    assert "{" not in found.says + found.remedy
    assert not [each for each in results if "the check itself failed" in each.says]


def test_a_broker_of_mqtt_3_1_1_cannot_say_that_it_refuses(bench):
    bench.settings["link"]["mqtt_version"] = "3.1.1"
    results = bench.examine("broker.topics")
    assert wrong(results) == set()
    assert [each.level for each in results[-2:]] == [Level.OK, Level.NOT_CHECKED]
