"""The documents that the central server sets: offered with a signature that counts, applied here.

Each is applied by its own file, whole or not at all, and its version lies in the same file: a kill
at any instant leaves the old document or the new one. What is beside it, in `documents.json`, is
what was offered and not done yet, and what was refused: a document that is refused is told once,
and not tried again until another version comes.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from gatepost.core.events import Json, Record
from gatepost.core.faults import Fault
from gatepost.wiring.document_jobs import Job, Outcome, begin
from gatepost_config.settings import Settings
from gatepost_hal.ports import Clock
from gatepost_services.roster import Roster, RosterError
from gatepost_services.state_file import StateFileError, read_state, write_state
from gatepost_services.sync.documents import (
    KINDS,
    Desired,
    DocumentError,
    DocumentKind,
    Held,
    Why,
    decode,
    is_for,
    objection,
)

if TYPE_CHECKING:  # a gate without an order need not pay for reading one at every start
    from gatepost.wiring.order_in_force import OrderInForce

_log = logging.getLogger(__name__)
_NAME = "documents.json"
# What may work the next time, and how often it is tried. Counted on the disk, before each try: a
# document that takes the whole machine down must not do so for ever.
_PASSING = frozenset({Why.DISK, Why.BUSY, Why.FAILED})
_MOST_TRIES = 5
_AGAIN_S = 30.0


class _Refused(Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    digest: str
    why: Why


class _Entry(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What is known of one document: what waits, what was applied last, what was refused."""

    pending: Desired | None = None
    tries: int = 0
    applied: Held | None = None
    refused: _Refused | None = None


class Documents:
    """Takes what the server offers. Belongs to the loop's thread, and never raises.

    Args:
        settings: of the gate.
        clock: for the records and the pauses.
        order: what follows a regime; None: this gate obeys no order, and takes no regime.
    """

    def __init__(
        self, settings: Settings, clock: Clock, order: "OrderInForce | None" = None
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._order = order
        self._path = settings.paths.gate_dir / _NAME
        self._entries = _load(self._path)
        self._jobs: dict[DocumentKind, tuple[Desired, Job]] = {}
        self._due_at_s: dict[DocumentKind, float] = {}
        self._told: list[Record] = []
        self._is_dirty = False
        self._roster = Roster(settings.paths.roster, settings.paths.roster_key)
        self._trust_file: Any = None

    def offer(self, payload: bytes) -> str | None:
        """Take the payload of a letter whose signature counts; return why not, if so.

        What is known already changes nothing. What is new is judged and applied by `poll`: that it
        waits is on the disk when this returns, where the disk works.
        """
        try:
            desired = decode(payload)
        except DocumentError as error:
            _log.error("%s", error)
            return error.why.value
        entry = self._entries[desired.document]
        if _is_known(entry, desired, self._held(desired.document)):
            return None
        if entry.pending is not None and desired.version <= entry.pending.version:
            detail = f"version {entry.pending.version} was offered before"
            self._refuse(desired, Why.NOT_NEWER, detail)
            return Why.NOT_NEWER.value
        entry.pending, entry.tries = desired, 0
        self._due_at_s.pop(desired.document, None)
        self._keep()
        return None

    def poll(self) -> Sequence[Record]:
        """Begin what waits, end what is done; return what is to be recorded of it.

        That it is done is noted by the next call, when the record is on the disk: after a kill in
        between it is found done, and recorded once more.
        """
        if self._is_dirty:
            self._keep()
        now_s = self._clock.now_s()
        for kind in KINDS:
            if kind in self._jobs:
                self._end(kind, now_s)
            if kind not in self._jobs and now_s >= self._due_at_s.get(kind, now_s):
                self._begin(kind)
        told, self._told = self._told, []
        return told

    def reported(self) -> dict[str, Json]:
        """Return which document of each kind this gate has, for the server to compare.

        {"version", "digest", "state", "why", "refused"}: version 0 and digest None where there is
        none; `state` "applied", "refused" (then `why`, and `refused`, the version of it; what was
        there before still is) or "none". The digest of a roster is that of its passes
        (`roster.rows`), the same however it came about; of the others it is their content's.
        """
        return {kind: self._report(kind) for kind in KINDS}

    def faults(self) -> Mapping[Fault, str | None]:
        """Return none: what is refused is told by its record, and what was there still holds."""
        return {}

    def close(self) -> None:
        """Give up what runs; it is begun anew after the next start."""
        for kind, (_, job) in self._jobs.items():
            job.stop()
            self._entries[kind].tries = max(0, self._entries[kind].tries - 1)
        if self._jobs or self._is_dirty:
            self._keep()
        self._jobs.clear()
        self._roster.close()

    # ------------------------------------------------------------------------------------- what is

    def _held(self, kind: DocumentKind) -> Held | None:
        match kind:
            case "roster":
                try:
                    state = self._roster.state()
                except RosterError:
                    return None
                return Held(state.version, state.digest.hex())
            case "regime":
                server = self._order.server if self._order else None
                return Held(server.version, server.digest) if server else None
            case "trust":
                held = self._trust()
                return Held(held.version, held.digest.hex()) if held else None

    def _trust(self) -> Any:
        """Return the list that is held, also one that a technician has installed."""
        passes, paths = self._settings.passes, self._settings.paths
        if not passes.root_key:
            return None
        if self._trust_file is None:
            # As in document_jobs: cryptography only where there are signatures.
            from gatepost_services.credentials.signing import key_of_hex  # noqa: PLC0415
            from gatepost_services.credentials.trust import TrustFile  # noqa: PLC0415

            roots = [key_of_hex(each) for each in passes.root_key.split()]
            self._trust_file = TrustFile(paths.trust_list, roots, self._settings.gate.site)
        self._trust_file.refresh()
        return self._trust_file.held

    def _report(self, kind: DocumentKind) -> dict[str, Json]:
        entry, held = self._entries[kind], self._held(kind)
        found: dict[str, Json] = {
            "version": held.version if held else 0,
            "digest": held.digest if held else None,
            "state": "applied" if held else "none",
            "why": None,
        }
        if entry.refused is not None:
            refused = {"why": entry.refused.why.value, "refused": entry.refused.version}
            found |= {"state": "refused", **refused}
        return found

    def _objection(self, desired: Desired, entry: _Entry, held: Held | None) -> Why | None:
        gate = self._settings.gate
        if not is_for(desired, gate.site, gate.name):
            return Why.WRONG_GATE
        if desired.document == "regime" and self._order is None:
            return Why.NO_ORDER
        if desired.document == "trust" and not self._settings.passes.root_key:
            return Why.NO_KEY
        # What was lost here, by a bad disk, opens no way back to what was signed long ago.
        if entry.applied is not None and desired.version < entry.applied.version:
            return Why.NOT_NEWER
        return objection(desired, held)

    # ------------------------------------------------------------------------------- what is done

    def _begin(self, kind: DocumentKind) -> None:
        entry = self._entries[kind]
        desired = entry.pending
        if desired is None:
            return
        held = self._held(kind)
        if not entry.tries and (why := self._objection(desired, entry, held)):
            self._refuse(desired, why, f"version {held.version if held else 0} is here")
            return
        if entry.tries >= _MOST_TRIES:
            self._refuse(desired, Why.FAILED, f"begun {entry.tries} times in vain")
            return
        entry.tries += 1
        self._keep()
        self._jobs[kind] = desired, begin(desired, self._settings)

    def _end(self, kind: DocumentKind, now_s: float) -> None:
        desired, job = self._jobs[kind]
        outcome = job.outcome()
        if outcome is None:
            return
        del self._jobs[kind]
        entry = self._entries[kind]
        is_last = entry.pending == desired  # another one may have been offered meanwhile
        if outcome.why is None:
            self._applied(desired, entry, outcome, is_last=is_last)
        elif not is_last:
            _log.warning("%s: %s; another one follows", desired.name, outcome.detail)
        elif outcome.why in _PASSING and entry.tries < _MOST_TRIES:
            self._due_at_s[kind] = now_s + _AGAIN_S * entry.tries
            _log.warning("%s: %s; tried again", desired.name, outcome.detail)
        else:
            self._refuse(desired, outcome.why, outcome.detail)

    def _applied(self, desired: Desired, entry: _Entry, outcome: Outcome, *, is_last: bool) -> None:
        if outcome.order is not None and self._order is not None:
            self._order.follow(*outcome.order)
        if outcome.trust is not None:
            self._trust_file = outcome.trust  # the loop need not read it again
        entry.applied = Held(desired.version, desired.digest)
        if entry.refused is not None and entry.refused.version <= desired.version:
            entry.refused = None
        if is_last:
            entry.pending, entry.tries = None, 0
        self._is_dirty = True
        _log.info("%s: applied", desired.name)
        self._told.append(self._record("document.applied", desired, bytes=desired.bytes))

    def _refuse(self, desired: Desired, why: Why, detail: str) -> None:
        entry = self._entries[desired.document]
        entry.refused = _Refused(desired.version, desired.digest, why)
        if entry.pending == desired:
            entry.pending, entry.tries = None, 0
        self._is_dirty = True
        _log.error("%s: refused (%s): %s", desired.name, why.value, detail)
        self._told.append(self._record("document.refused", desired, why=why.value))

    def _record(self, type_: str, desired: Desired, **more: Json) -> Record:
        data: dict[str, Json] = {
            "document": desired.document,
            "version": desired.version,
            "digest": desired.digest,
            **more,
        }
        return Record(type_, self._clock.now_s(), data)

    def _keep(self) -> None:
        self._is_dirty = False
        try:
            write_state(self._path, msgspec.json.encode(self._entries))
        except StateFileError as error:
            # The server offers again what is still wanted, each time that the link connects.
            _log.error("%s; what was offered does not outlast a restart", error)


def _is_known(entry: _Entry, desired: Desired, held: Held | None) -> bool:
    """Return whether a letter says nothing new: it waits, was refused, or is applied."""
    named = Held(desired.version, desired.digest)
    if entry.refused and named == (entry.refused.version, entry.refused.digest):
        return True
    if entry.pending is not None:
        return entry.pending == desired
    if held is None or held.version < desired.version:
        return False  # applied once, perhaps, and lost since
    return named in (entry.applied, held)


def _load(path: Path) -> dict[DocumentKind, _Entry]:
    try:
        content = read_state(path)
        found = msgspec.json.decode(content or b"{}", type=dict[DocumentKind, _Entry])
    except (StateFileError, msgspec.DecodeError) as error:
        _log.error("%s: cannot be used, begun anew: %s", path, error)
        found = {}
    return {kind: found.get(kind, _Entry()) for kind in KINDS}
