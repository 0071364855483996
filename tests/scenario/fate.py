"""What happens to a gate: its staff, its alarms, its parts, its process."""

import random
from collections.abc import Callable, Generator, Sequence
from functools import partial

from gatepost.core.events import Tested, Verb
from gatepost.gate import Asked
from gatepost_hal.ports import InputName
from gatepost_hal.simulated.mlx90614 import ChipFault

from .life import KilledError
from .stage import Stage
from .unruly import Script, follow

WATCHDOG_S = 10.0  # WatchdogSec of the unit
_BOUNCE_S = 0.01
_UNDO = {
    Verb.LOCK: Verb.UNLOCK,
    Verb.CLOSE: Verb.OPEN,
    Verb.BEGIN_MAINTENANCE: Verb.END_MAINTENANCE,
}


class BugError(Exception):
    """Any exception that nobody thought of."""


class Fate:
    """Strikes a stage at random. `hangs`: for how long the loop is not its own master, at least."""

    def __init__(self, stage: Stage, chance: random.Random) -> None:
        self._stage = stage
        self._chance = chance
        self._at_write: Callable[[], None] | None = None  # to be done before the next write
        self._after_write: Callable[[], None] | None = None
        self._number = 0
        self.hung: list[tuple[float, float]] = []  # from, until: the loop did not turn
        self.stuck: list[tuple[float, float]] = []  # a passage contact told nothing
        self.alarm_spans: list[tuple[float, float]] = []  # fire or emergency
        self.down_s = 0.0  # after the life that has just ended
        self.hangs_s = 0.0  # before it is killed, with its drivers alive
        self.is_stopping = False
        self.is_quiet = False  # nothing more goes wrong
        stage.log.spy = lambda _entries: self._write_begins()
        stage.log.wrote = lambda _entries: self._write_is_over()

    # ------------------------------------------------------------------------------- scripts

    def _pauses(self, pause_s: float) -> Generator[float, None, bool]:
        yield self._chance.expovariate(1 / pause_s)
        return not self.is_quiet

    def staff(self, pause_s: float) -> Script:
        """Let staff, technicians and the centre do their work."""
        chance = self._chance
        while (yield from self._pauses(pause_s)):
            deed = chance.random()
            if deed < 0.3:
                yield from self._press(InputName.STAFF_RELEASE, chance.choice((0.05, 0.4, 5.0)))
            elif deed < 0.4:
                yield from self._press(InputName.MAINTENANCE_KEY, chance.uniform(1, 20))
            else:
                yield from self._order()

    def alarms(self, pause_s: float) -> Script:
        """Let alarms come and go."""
        while (yield from self._pauses(pause_s)):
            name = self._chance.choice((InputName.FIRE, InputName.EMERGENCY, InputName.TAMPER))
            yield from self._press(name, self._chance.choice((0.01, 0.5, 5.0, 15.0)))

    def damage(self, pause_s: float) -> Script:
        """Let parts fail, and mend them."""
        chance, stage = self._chance, self._stage
        while (yield from self._pauses(pause_s)):
            deed, for_s = chance.randrange(6), chance.uniform(0.5, 12)
            if deed == 0:
                stage.lane.chip.fault = chance.choice(list(ChipFault))
                yield for_s
                stage.lane.chip.fault = None
            elif deed == 1:
                stage.log.broken = True
                yield for_s
                stage.log.broken = False
            elif deed == 2:
                self._at_write = partial(self._block, for_s)
            elif deed == 3:
                stage.lane.reader.send(chance.randbytes(200))
            else:
                yield from self._stick(3 * for_s)  # longer than an arm may be held, at times

    def deaths(self, pause_s: float) -> Script:
        """Let the process end in every way there is, at any moment."""
        chance = self._chance
        while (yield from self._pauses(pause_s)):
            way = chance.choice((self._kill, self._kill, self._freeze, self._hang, self._stop))
            moment = chance.random()
            if moment < 0.3:
                self._at_write = way
            elif moment < 0.6:
                self._after_write = way
            elif moment < 0.7:
                self._at_write = self._crash
            else:
                now_s = self._stage.world.now_s()
                self._stage.world.call_at(now_s, way)

    # -------------------------------------------------------------------------------- deeds

    def _press(self, name: InputName, for_s: float) -> Script:
        contact, now_s = self._stage.lane.contacts[name], self._stage.world.now_s()
        if name in (InputName.FIRE, InputName.EMERGENCY):
            self.alarm_spans.append((now_s, now_s + for_s + _BOUNCE_S))
        contact.set(active=True)
        yield for_s
        contact.set(active=False)

    def _stick(self, for_s: float) -> Script:
        names = [InputName.PASSAGE, InputName.PASSAGE_EXIT]
        wired = [name for name in names if name in self._stage.lane.contacts]
        if wired:
            began_s = self._stage.world.now_s()
            self.stuck.append((began_s, began_s + for_s + 2.0))
            yield from self._press(self._chance.choice(wired), for_s)

    def _order(self) -> Script:
        verb = self._chance.choice(list(Verb))
        tested = self._chance.choice(list(Tested)) if verb is Verb.TEST else None
        verbs = [verb]
        if verb is Verb.TEST:
            verbs = [Verb.BEGIN_MAINTENANCE, verb, verb, Verb.END_MAINTENANCE]
        elif verb in _UNDO:
            verbs += [_UNDO[verb]]
        for each in verbs:
            self._ask(each, tested if each is Verb.TEST else None)
            yield self._chance.uniform(0.1, 8)

    def _ask(self, verb: Verb, tested: Tested | None) -> None:
        """Command once, or more often under the same id."""
        self._number += 1
        times = self._chance.choice((1, 1, 1, 2, 3))
        asked = Asked(verb, tested, f"order-{self._number}", "uid 0", lambda _answer: None)
        self._stage.asked += [asked] * times

    def alarmed(self, now_s: float, within_s: float) -> bool:
        """Return whether an alarm stands, or did not longer ago than this."""
        return any(begins <= now_s <= ends + within_s for begins, ends in self.alarm_spans)

    def calm(self) -> Sequence[Verb]:
        """Let everything be well; return the orders that make the lane as it was."""
        stage = self._stage
        self._at_write = self._after_write = None
        stage.lane.chip.fault = None
        stage.log.broken = False
        for contact in stage.lane.contacts.values():
            contact.set(active=False)
        return tuple(_UNDO.values())

    # ------------------------------------------------------------------------ the process

    def _kill(self, *, down_s: float | None = None) -> None:
        if self._stage.life.turns:
            self.down_s = self._chance.uniform(1, 4) if down_s is None else down_s
            self._stage.life.end()
            raise KilledError

    def _freeze(self) -> None:
        """SIGSTOP: nothing of it runs, until the watchdog of the service manager has had enough."""
        self._kill(down_s=WATCHDOG_S + self._chance.uniform(1, 4))

    def _hang(self) -> None:
        """Let the loop hang for good; the thread of its timer lives on."""
        if self._stage.life.turns:
            self.hangs_s, self.down_s = WATCHDOG_S, self._chance.uniform(1, 4)
            self._stage.life.turns = False
            raise KilledError

    def _crash(self) -> None:
        self.down_s = self._chance.uniform(1, 4)
        raise BugError

    def _stop(self) -> None:
        self.down_s = self._chance.uniform(1, 4)
        self.is_stopping = True

    def _block(self, for_s: float) -> None:
        """Let the disk block; whoever waits for it too long is killed."""
        world, life = self._stage.world, self._stage.life
        now_s = world.now_s()
        self.hung.append((now_s, now_s + for_s))
        world.advance(min(for_s, WATCHDOG_S))
        if not life.turns:
            raise KilledError
        if for_s >= WATCHDOG_S:
            self._kill()

    def _write_begins(self) -> None:
        deed, self._at_write = self._at_write, None
        if deed is not None:
            deed()

    def _write_is_over(self) -> None:
        deed, self._after_write = self._after_write, None
        if deed is not None:
            deed()


def unleash(stage: Stage, scripts: Sequence[Script]) -> None:
    """Let scripts run side by side."""
    for script in scripts:
        follow(stage.world, script)
