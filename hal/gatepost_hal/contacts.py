"""Contacts on GPIO lines, debounced by time rather than by the driver's own filter.

gpiozero's `bounce_time` is ignored by its mock pins and has open reports of lost events with
lgpio; one filter of ours behaves the same on both.
"""

import threading
from collections.abc import Callable
from typing import NamedTuple

from gpiozero import DigitalInputDevice

from gatepost_hal.ports import Clock, InputChanged, InputName, Mailbox, Timer

# An alarm contact that finds no rest for this long is an alarm: a cut wire picks up hum, and its
# edges would put the end of the debounce time off for ever.
_UNREST_S = 0.1


class ContactKind(NamedTuple):
    """How a contact is wired, and how long its line must rest before a change of it counts."""

    normally_closed: bool  # an alarm: closed while all is well, so that a cut wire is one too
    begin_rest_s: float
    end_rest_s: float


class Contact:
    """One input line: an edge arms the debounce timer, the level when it ends is what counts.

    `on_active` runs on the timer's thread, before and without the control loop.
    """

    def __init__(
        self,
        name: InputName,
        device: DigitalInputDevice,
        kind: ContactKind,
        *,
        clock: Clock,
        timer: Timer,
        mailbox: Mailbox,
        on_active: Callable[[], None],
    ) -> None:
        self._name = name
        self._device = device
        self._kind = kind
        self._clock = clock
        self._timer = timer
        self._mailbox = mailbox
        self._on_active = on_active
        self._lock = threading.Lock()
        self._reported = False
        self._cancel: Callable[[], None] | None = None
        self._cancel_unrest: Callable[[], None] = lambda: None
        device.when_activated = self._edge
        device.when_deactivated = self._edge

    @property
    def name(self) -> InputName:
        """Which input it is."""
        return self._name

    @property
    def is_active(self) -> bool:
        """Return the level that was last told."""
        return self._reported

    def refresh(self) -> None:
        """Re-read the level; see `gatepost_hal.ports.Inputs.refresh`."""
        with self._lock:
            if self._cancel is None and self._level() != self._reported:
                self._arm()

    def _level(self) -> bool:
        # gpiozero calls a contact to ground with pull-up "active" while it is closed.
        return bool(self._device.is_active) != self._kind.normally_closed

    def _edge(self) -> None:
        with self._lock:
            self._arm()

    def _arm(self) -> None:
        """Begin to wait for rest, or begin anew."""
        if self._cancel is not None:
            self._cancel()
        elif self._kind.normally_closed:
            unrest_at_s = self._clock.now_s() + _UNREST_S
            self._cancel_unrest = self._timer.call_at(unrest_at_s, self._despair)
        rest_s = self._kind.end_rest_s if self._reported else self._kind.begin_rest_s
        self._cancel = self._timer.call_at(self._clock.now_s() + rest_s, self._settle)

    def _despair(self) -> None:
        """Take an alarm contact that finds no rest for active."""
        with self._lock:
            if self._cancel is None or self._reported:
                return
            self._reported = True
            self._arm()  # it is over when it has come to rest
        self._tell(active=True)

    def _settle(self) -> None:
        with self._lock:
            self._cancel_unrest()
            self._cancel = None
            level = self._level()
            if level == self._reported:
                return
            self._reported = level
        self._tell(active=level)

    def _tell(self, *, active: bool) -> None:
        self._mailbox.post(InputChanged(self._clock.now_s(), self._name, active))
        if active:
            self._on_active()


class GpioInputs:
    """`Inputs` on GPIO lines."""

    def __init__(self, contacts: list[Contact]) -> None:
        self._contacts = contacts
        self._by_name = {contact.name: contact for contact in contacts}

    def refresh(self) -> None:
        """Re-read all levels; see `gatepost_hal.ports.Inputs.refresh`."""
        for contact in self._contacts:
            contact.refresh()

    def is_active(self, name: InputName) -> bool:
        """Return a level; see `gatepost_hal.ports.Inputs.is_active`."""
        return name in self._by_name and self._by_name[name].is_active
