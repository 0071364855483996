"""Answers whoever asks or commands: obeys, or refuses, and says which, and how things stand."""

from collections.abc import Callable, Mapping, Sequence

from gatepost.core.events import Command, Json, LaneEvent, Record, Verb
from gatepost.core.states import State
from gatepost.gate.parts import Asked, Errand, Surroundings
from gatepost.gate.recorder import Recorder
from gatepost_hal.ports import Clock

# A command is obeyed now, or not at all (S7).
_COMMAND_S = 1.0
_NO_RECORD = "no_record"
_RELEASED = State.RELEASED.name.lower()
# By the names of the status: nobody is in the lane, and nothing is free.
AT_REST = frozenset(state.name.lower() for state in (State.IDLE, State.LOCKED, State.CLOSED))


class Clerk:
    """The loop's dealings with people elsewhere.

    Args:
        clock: monotonic.
        recorder: what writes a record before anything is done.
        around: the parts that are asked.
        feed: gives the lane an event and returns what was recorded of it.
        status: how things stand.
        remind: looks anew whether the gate is due to be disinfected.
    """

    def __init__(
        self,
        clock: Clock,
        recorder: Recorder,
        around: Surroundings,
        *,
        feed: Callable[[LaneEvent], Sequence[Record]],
        status: Callable[[], Mapping[str, Json]],
        remind: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._recorder = recorder
        self._around = around
        self._feed = feed
        self._status = status
        self._remind = remind

    def answer(self, asked: Asked) -> None:
        """Obey, or refuse, and say which; and how things stand by then."""
        if not asked.is_waiting():
            return  # a disk blocked, and they were told that there is no answer (S7)
        answer: dict[str, Json] = {}
        if asked.disinfected:
            answer = self._disinfected(asked.by)
        if asked.acknowledges:
            is_told = self._recorder.write(self._around.ledger.acknowledge(asked.by))
            answer = {"done": is_told} if is_told else {"done": False, "why": _NO_RECORD}
        if asked.errand is not None:
            answer = self._run(asked, asked.errand)
        if asked.verb is not None:
            now_s = self._clock.now_s()
            expires_at_s = now_s + _COMMAND_S
            command = Command(now_s, asked.id, asked.verb, asked.by, expires_at_s, asked.tested)
            told = [r for r in self._feed(command) if r.type.startswith("command.")]
            # Nothing is told where nothing could be written.
            answer = {"done": False, "why": _NO_RECORD} if not told else {}
            for record in told:
                answer |= {"done": record.type == "command.obeyed", **record.data}
            if answer["done"] and not self._is_so(asked.verb):
                answer |= {"done": False, "why": _NO_RECORD}
        asked.answer({**answer, **self._status()})

    def _is_so(self, verb: Verb) -> bool:
        """Return whether it came to be: nobody is let in whose record is not on the disk (S5)."""
        return verb is not Verb.RELEASE_ENTRY or self._status()["state"] == _RELEASED

    def _run(self, asked: Asked, errand: Errand) -> dict[str, Json]:
        """Record it first (S5), then do it; one that fails is recorded as refused after all."""
        data: dict[str, Json] = {"command": asked.id, "verb": errand.verb, "by": asked.by}
        if errand.at_rest and self._status()["state"] not in AT_REST:
            refused: dict[str, Json] = {**data, "why": "not_now"}
            self._recorder.write([Record("command.refused", self._clock.now_s(), refused)])
            return {"done": False, **refused}
        if not self._recorder.write([Record("command.obeyed", self._clock.now_s(), data)]):
            return {"done": False, "why": _NO_RECORD}
        why_not = errand.run()
        if why_not is None:
            return {"done": True, **data}
        failed = {**data, "why": "failed", "detail": why_not}
        self._recorder.write([Record("command.refused", self._clock.now_s(), failed)])
        return {"done": False, **failed}

    def _disinfected(self, by: str) -> dict[str, Json]:
        record = Record("disinfection.done", self._clock.now_s(), {"by": by})
        if not self._recorder.write([record]):
            return {"done": False, "why": _NO_RECORD}
        why_not = self._around.disinfected()
        self._remind()
        return {"done": True} if why_not is None else {"done": False, "why": why_not}
