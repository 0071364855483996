"""What the lane shows and sounds: one pattern for each thing that it has to say.

Whoever cannot hear tells them apart by lamps and their blinking, whoever cannot see by the
rhythm; a test holds both. In quiet hours a rhythm is kept in ticks, so that the blind still hear
which it is; an alarm is never quiet.
"""

from enum import Enum, auto
from typing import NamedTuple

from gatepost_hal.ports import Lamp

_TICK_S = 0.02  # loud enough for whoever stands there, and for nobody's bedroom


class Signal(Enum):
    """What the person in the lane is told."""

    READY = auto()
    SHOW_PASS = auto()
    HOLD_STILL = auto()
    TRY_AGAIN = auto()
    GO = auto()
    NO_ENTRY = auto()
    WAIT_FOR_STAFF = auto()
    LOCKED = auto()
    CLOSED = auto()
    SERVICE = auto()
    ALARM = auto()
    EVACUATE = auto()
    TEST_GREEN = auto()
    TEST_AMBER = auto()
    TEST_RED = auto()
    TEST_BUZZER = auto()


class SignalPattern(NamedTuple):
    """Lamps, blinking or not, and a sound: on, off, on ... in seconds; repeated or not."""

    lamps: frozenset[Lamp]
    buzzer_s: tuple[float, ...] = ()
    blink_s: float = 0.0
    repeat: bool = False
    is_alarm: bool = False

    def quiet(self) -> "SignalPattern":
        """Return it as it is in quiet hours: each sound a tick, at the same instants."""
        if self.is_alarm:
            return self
        shorter_s = [
            # What the sound gives up, the silence after it gets.
            _TICK_S if number % 2 == 0 else before_s + duration_s - _TICK_S
            for number, (before_s, duration_s) in enumerate(
                zip((0.0, *self.buzzer_s), self.buzzer_s, strict=False)
            )
        ]
        return self._replace(buzzer_s=tuple(shorter_s))


def _lamps(*lamps: Lamp) -> frozenset[Lamp]:
    return frozenset(lamps)


# Not more than three flashes a second: faster ones can bring on a seizure (WCAG 2.3.1).
_SLOW_S, _FAST_S = 0.5, 0.2
_GREEN, _AMBER, _RED = Lamp.GREEN, Lamp.AMBER, Lamp.RED

SIGNALS = {
    Signal.READY: SignalPattern(_lamps()),
    Signal.SHOW_PASS: SignalPattern(_lamps(_AMBER), (0.05, 0.1, 0.05)),
    Signal.HOLD_STILL: SignalPattern(_lamps(_AMBER), (0.05,), blink_s=_SLOW_S),
    Signal.TRY_AGAIN: SignalPattern(_lamps(_AMBER), (0.1, 0.1, 0.1, 0.1, 0.1), blink_s=_FAST_S),
    Signal.GO: SignalPattern(_lamps(_GREEN), (0.05,) * 7),
    Signal.NO_ENTRY: SignalPattern(_lamps(_RED), (0.4, 0.2, 0.4, 0.2, 0.3)),
    # Softer than a refusal: it is no accusation.
    Signal.WAIT_FOR_STAFF: SignalPattern(_lamps(_RED, _AMBER), (0.2, 0.4, 0.6), blink_s=_SLOW_S),
    Signal.LOCKED: SignalPattern(_lamps(_RED), blink_s=_SLOW_S),
    Signal.CLOSED: SignalPattern(_lamps(_RED, _AMBER)),
    Signal.SERVICE: SignalPattern(_lamps(_GREEN, _AMBER, _RED), blink_s=_SLOW_S),
    Signal.ALARM: SignalPattern(_lamps(_RED), (0.1, 0.1) * 50, blink_s=_FAST_S, is_alarm=True),
    Signal.EVACUATE: SignalPattern(
        _lamps(_GREEN), (0.5, 0.5), blink_s=_FAST_S, repeat=True, is_alarm=True
    ),
    Signal.TEST_GREEN: SignalPattern(_lamps(_GREEN)),
    Signal.TEST_AMBER: SignalPattern(_lamps(_AMBER)),
    Signal.TEST_RED: SignalPattern(_lamps(_RED)),
    Signal.TEST_BUZZER: SignalPattern(_lamps(), (0.5, 0.2, 0.5), is_alarm=True),
}


def is_within(minute: int, begin: int, end: int) -> bool:
    """Return whether a minute of the day is in the hours from `begin` to `end`, also over midnight.

    The same beginning and end is the whole day.
    """
    return begin <= minute < end if begin < end else minute >= begin or minute < end
