"""A whole gate whose clock is set, lost, found again and turned back: what its events then say."""

from contextlib import contextmanager

import pytest

from gatepost.demo.hardware import simulated_hardware
from gatepost.wiring.clock_watch import gate_clock
from gatepost.wiring.lane import gate
from gatepost_config.load import load
from gatepost_hal.ports import Direction
from gatepost_hal.simulated.lane import SimulatedLane
from gatepost_hal.simulated.world import World
from gatepost_services.contract.events import decode
from gatepost_services.contract.schemas import check
from gatepost_services.journal import JournalReader

from .clocks import DAY_S, HOUR_S, rebooted
from .rosters import import_roster

OF_THE_CLOCK = ("clock.stepped", "clock.changed", "clock.behind")
_LOOK_S = 5.5  # the house is kept every five seconds


class Machine:
    """A gate on one disk, over its boots."""

    def __init__(self, config):
        self.settings = load(config)
        self.world = World()
        self.boots = 0
        self._controller = None

    @contextmanager
    def switched_on(self):
        """Run the gate until the power goes, with no word of farewell."""
        self.boots += 1
        lane = self.lane = SimulatedLane(self.world, seed=1)
        hardware = simulated_hardware(lane, self.settings)
        boot_id = f"boot-{self.boots}"
        with gate(self.settings, hardware, boot_id=boot_id, notify=lambda _text: None) as made:
            self._controller = made
            self.play(_LOOK_S)
            self.play(_LOOK_S)
            yield
        lane.close()

    def play(self, duration_s):
        """Let it turn for this long."""
        until_s = self.world.now_s() + duration_s
        while self.world.now_s() < until_s:
            self._controller.turn()

    def sleep(self, duration_s):
        """Let much time pass with nobody at the gate, and then a look at the clock."""
        self.world.advance(duration_s)
        self.play(2 * _LOOK_S)

    def events(self):
        with JournalReader(self.settings.paths.journal) as reader:
            found = [decode(record.body) for record in reader.read(0, 10_000).records]
        for event in found:
            check(event.type.removeprefix("gatepost."), event.data)  # each is what its schema says
        return found

    def told(self):
        """Return what was told of the clock: type, quality of the event, data's values."""
        found = []
        for event in self.events():
            type_ = event.type.removeprefix("gatepost.")
            if type_ in OF_THE_CLOCK:
                found.append((type_, event.time_quality, *event.data.values()))
        return found


@pytest.fixture
def machine(config):
    return Machine(config)


def test_a_step_forward_and_one_back_under_a_time_server(machine):
    with machine.switched_on():
        machine.world.set_clock(by_s=HOUR_S)
        machine.play(_LOOK_S)
        machine.world.set_clock(by_s=-2 * HOUR_S)
        machine.play(_LOOK_S)
    first, forward, back, behind = machine.told()
    assert first == ("clock.changed", "ntp", None, "ntp")
    assert forward == ("clock.stepped", "ntp", HOUR_S, "ntp")
    assert back == ("clock.stepped", "ntp", -2 * HOUR_S, "ntp")
    assert behind[:2] == ("clock.behind", "ntp")


def test_the_order_of_events_is_that_of_their_numbers_whatever_the_clock_does(machine):
    with machine.switched_on():
        machine.world.set_clock(by_s=-DAY_S, quality="restored")
        machine.sleep(60.0)
    events = machine.events()
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    uptimes = [event.uptime_s for event in events]
    assert uptimes == sorted(uptimes)
    dates = [event.utc_s for event in events]
    assert dates != sorted(dates)


def test_a_time_server_that_is_lost_for_a_week_leaves_a_clock_that_runs_on(machine):
    with machine.switched_on():
        machine.world.set_clock(quality="restored")
        machine.sleep(7 * DAY_S)
        machine.world.set_clock(quality="ntp")
        machine.play(_LOOK_S)
    assert machine.told()[1:] == [
        ("clock.changed", "rtc", "ntp", "rtc"),
        ("clock.changed", "ntp", "rtc", "ntp"),
    ]


def test_after_a_power_cut_the_restored_time_is_said_to_be_restored(machine):
    with machine.switched_on():
        machine.sleep(10.0)
    machine.world = rebooted(machine.world, "restored", off_s=8 * HOUR_S, lost_s=7 * HOUR_S)
    with machine.switched_on():
        pass
    assert machine.told()[1:] == [("clock.changed", "restored", "ntp", "restored")]


def test_time_that_runs_backwards_over_a_power_cut_never_goes_unsaid(machine):
    with machine.switched_on():
        machine.sleep(3 * HOUR_S)
    last_s = max(event.utc_s for event in machine.events())
    before = len(machine.events())
    # timesyncd saved its file two hours ago, and the power was away for one.
    machine.world = rebooted(machine.world, "restored", off_s=HOUR_S, lost_s=2 * HOUR_S)
    with machine.switched_on():
        pass
    told = machine.told()[1:]
    assert [each[:2] for each in told] == [("clock.behind", "none"), ("clock.changed", "none")]
    assert told[0][2] == pytest.approx(HOUR_S, abs=30.0)
    after = machine.events()[before:]
    assert after
    assert all(event.time_quality == "none" for event in after if event.utc_s < last_s - 1.0)


def test_the_journal_alone_knows_that_time_ran_backwards(machine):
    with machine.switched_on():
        machine.sleep(60.0)
    (machine.settings.paths.gate_dir / "clock.json").unlink()
    machine.world = rebooted(machine.world, "rtc", lost_s=300.0)
    with machine.switched_on():
        pass
    assert {event.time_quality for event in machine.events() if event.boot_id == "boot-2"} == {
        "none"
    }


@pytest.mark.parametrize("beside", [("-wal", "-shm"), ("-wal",)])
def test_a_journal_that_a_power_cut_left_open_is_looked_at_and_left_as_it_is(beside, machine):
    gate_dir = machine.settings.paths.gate_dir
    with machine.switched_on():
        cut = {path.name: path.read_bytes() for path in gate_dir.iterdir() if path.is_file()}
    for path in gate_dir.iterdir():
        path.unlink()
    left = {"journal.db", "journal.db-head", *(f"journal.db{suffix}" for suffix in beside)}
    for name in left & cut.keys():
        (gate_dir / name).write_bytes(cut[name])
    last_s = max(event.utc_s for event in machine.events())
    clock = gate_clock(machine.settings, rebooted(machine.world, "rtc", lost_s=60.0), "another")
    assert clock.known().trusted_s == pytest.approx(last_s, abs=0.01)
    assert clock.utc_quality() == "none"
    for name in left & cut.keys() - {"journal.db-shm"}:
        assert (gate_dir / name).read_bytes() == cut[name]


@pytest.mark.parametrize("content", [b"", b"nonsense" * 1000])
def test_what_is_no_journal_says_nothing_and_loses_nothing(content, machine):
    journal = machine.settings.paths.journal
    journal.write_bytes(content)
    wal = journal.with_name(journal.name + "-wal")
    wal.write_bytes(b"all that is left" * 100)
    clock = gate_clock(machine.settings, machine.world, "boot")
    assert clock.known().trusted_s == machine.world.utc_s()
    assert wal.read_bytes() == b"all that is left" * 100
    assert journal.read_bytes() == content


def test_the_file_alone_knows_it_where_the_journal_is_gone(machine):
    with machine.switched_on():
        machine.sleep(2 * HOUR_S)
    for path in machine.settings.paths.gate_dir.glob("journal*"):
        path.unlink()
    machine.world = rebooted(machine.world, "rtc", lost_s=2 * HOUR_S)
    with machine.switched_on():
        pass
    assert {event.time_quality for event in machine.events()} == {"none"}


def test_a_clock_that_has_caught_up_counts_again(machine):
    with machine.switched_on():
        machine.sleep(60.0)
    machine.world = rebooted(machine.world, "rtc", lost_s=60.0)
    with machine.switched_on():
        machine.sleep(120.0)
    assert machine.told()[-1] == ("clock.changed", "rtc", "none", "rtc")


def test_a_time_server_that_is_reached_after_an_hour_puts_it_right(machine):
    with machine.switched_on():
        machine.sleep(60.0)
    machine.world = rebooted(machine.world, "restored", off_s=DAY_S, lost_s=DAY_S + 1800.0)
    with machine.switched_on():
        machine.sleep(HOUR_S)
        machine.world.set_clock(by_s=DAY_S, quality="ntp")
        machine.play(_LOOK_S)
    told = machine.told()[1:]
    assert [each[0] for each in told] == [
        "clock.behind",
        "clock.changed",
        "clock.changed",  # it has caught up with what was dated, by half an hour
        "clock.stepped",
        "clock.changed",
    ]
    assert told[2] == ("clock.changed", "restored", "none", "restored")
    assert told[3] == ("clock.stepped", "ntp", DAY_S, "ntp")
    assert told[4] == ("clock.changed", "ntp", "restored", "ntp")


def test_a_restart_of_the_program_tells_nothing_new(machine):
    with machine.switched_on():
        machine.sleep(60.0)
    machine.boots -= 1  # the same boot
    with machine.switched_on():
        machine.sleep(60.0)
    assert machine.told() == [("clock.changed", "ntp", None, "ntp")]


def test_settings_and_health_are_told_by_a_whole_gate(machine):
    with machine.switched_on():
        machine.sleep(HOUR_S)
        machine.sleep(HOUR_S)
    types = [event.type for event in machine.events()]
    assert types.count("gatepost.config.changed") == 1
    assert types.count("gatepost.health.reported") == 2


def test_who_walks_out_by_quota_has_their_households_turn_told(config, tmp_path):
    import_roster(tmp_path, "credential,subject,category,household\nP1,anna,resident,h1\n")
    more = '[regime]\nname = "medium-risk"\nexits = "by_pass"\n[reader]\nexit_device = "/dev/x"\n'
    config.write_text(config.read_text() + more)
    machine = Machine(config)
    with machine.switched_on():
        machine.lane.exit_reader.scan("P1")
        machine.play(1.0)
        assert machine.lane.push(Direction.EXIT)
        machine.play(2 * _LOOK_S)
    types = [event.type.removeprefix("gatepost.") for event in machine.events()]
    assert types.index("passage.left") < types.index("quota.used")
    (used,) = [event for event in machine.events() if event.type == "gatepost.quota.used"]
    assert (used.data["subject"], used.data["left"]) == ("anna", 0)
    assert used.event_class.label == "live"


def test_every_class_of_the_clocks_events_is_the_contracts(machine):
    with machine.switched_on():
        machine.world.set_clock(by_s=-DAY_S)
        machine.sleep(60.0)
    classes = {event.type: event.event_class.label for event in machine.events()}
    assert classes["gatepost.health.reported"] == "telemetry"
    for type_ in (*OF_THE_CLOCK, "config.changed"):
        assert classes[f"gatepost.{type_}"] == "bookkeeping"
