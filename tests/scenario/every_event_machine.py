"""Plays for the events of the machine and of the journal; see `every_event`."""

from contextlib import ExitStack
from hashlib import sha256
from threading import Event

from gatepost.core.events import Verb
from gatepost.wiring.clock_watch import ClockWatch, read_known
from gatepost.wiring.health import Health
from gatepost.wiring.news import ConfigWatch
from gatepost.wiring.records import event_log
from gatepost.wiring.trusted_clock import JudgedClock
from gatepost_config.load import load
from gatepost_hal.ports import InputName
from gatepost_services.contract.events import Envelope, withheld_body
from gatepost_services.journal import Entry, JournalLate
from gatepost_services.record import NO_HASH, EventClass, Record

from .every_event import Theatre, tell
from .stage import WELL_C

DAY_S = 86_400.0
SMALL = "[journal]\nmax_events = 1_000\nappend_deadline_s = 5.0\n"
A_MOMENT = Event()


def a_life_of_the_process(theatre: Theatre) -> None:
    theatre.stage().live(1.0)


def a_bug(theatre: Theatre) -> None:
    stage = theatre.stage()

    def look() -> None:
        raise ZeroDivisionError

    try:
        stage.live(1.0, look)
    except ZeroDivisionError:
        return
    raise AssertionError("nothing was raised")


def a_slow_disk_and_a_broken_one(theatre: Theatre) -> None:
    stage = theatre.stage()
    stage.log.spy = lambda _entries: stage.world.advance(0.2)
    stage.press(InputName.EXIT_BUTTON)
    stage.play(65.0)
    stage.log.spy = lambda _entries: None
    stage.log.broken = True
    stage.order(Verb.LOCK)
    stage.log.broken = False
    stage.play(6.0)


def a_disk_that_answers_late(theatre: Theatre) -> None:
    stage = theatre.stage()
    append = stage.log.append

    def late(entries, _give_up=None) -> None:
        append(entries)
        stage.log.append = append
        raise JournalLate("the disk has not answered")

    stage.log.append = late
    stage.press(InputName.EXIT_BUTTON)
    stage.play(6.0)


def the_thermometer_learns(theatre: Theatre) -> None:
    stage = theatre.stage(screening={"learns": True})
    for _ in range(50):
        stage.screen(WELL_C)


def the_clock_is_set(theatre: Theatre) -> None:
    stage = theatre.stage()
    world, path = stage.world, theatre.folder / "clock.json"
    clock = JudgedClock(world, "boot", read_known(path))
    watch = ClockWatch(clock, path)
    world.set_clock(quality="ntp")
    told = [*watch.due()]
    world.set_clock(by_s=-DAY_S, quality="none")
    told += watch.due()
    tell(stage, told)


def other_settings_and_an_hour_of_health(theatre: Theatre) -> None:
    stage, settings = theatre.stage(), load(theatre.config)
    told = [*ConfigWatch(settings, stage.world).due()]
    health = Health(stage.world, every_s=3600.0, folder=settings.paths.gate_dir)
    for _ in range(2):
        stage.world.advance(3600.0)
        told += health.due()
    tell(stage, told)


# ------------------------------------------------------------------------------------ the journal


def a_journal_is_broken_and_a_small_one_full(theatre: Theatre) -> None:
    theatre.config.write_text(theatre.config.read_text() + SMALL)
    settings = load(theatre.config)
    settings.paths.journal.write_bytes(b"no database " * 1000)
    stage = theatre.stage()
    some = [Entry("fire.raised", 1.0, stage.world.utc_s(), {}, "ntp")] * 300
    with ExitStack() as closing:
        log = event_log(settings, stage.world, "boot", closing)
        for _ in range(8):
            log.append(some)
            log.keep_house(0)
            while log._delivered_seq is not None or not log._changed._waiters:
                assert log._died is None
                A_MOMENT.wait(0.001)  # its thread keeps house


def an_event_cannot_be_sent(_theatre: Theatre) -> None:
    body = Envelope("s", "g", "b").seal(Entry("fire.raised", 0.0, 0.0, {}), 1, NO_HASH)
    record = Record(1, EventClass.ALARM, sha256(body).digest(), body)
    withheld_body("s", "g", record, "too_large")


PLAYS = {
    a_life_of_the_process: ("controller.started", "controller.stopped", "thermometer.found"),
    a_bug: ("controller.failed",),
    a_slow_disk_and_a_broken_one: (
        *("controller.overrun", "journal.lost", "fault.raised", "fault.cleared"),
    ),
    a_disk_that_answers_late: ("journal.late",),
    the_thermometer_learns: ("thermometer.learnt",),
    the_clock_is_set: ("clock.changed", "clock.stepped", "clock.behind"),
    other_settings_and_an_hour_of_health: ("config.changed", "health.reported"),
    a_journal_is_broken_and_a_small_one_full: ("store.corrupt", "journal.gap"),
    an_event_cannot_be_sent: ("journal.withheld",),
}
