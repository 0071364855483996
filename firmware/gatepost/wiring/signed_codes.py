"""Signed passes and certificates at the readers, by the trust list that the gate holds.

Loaded where a site names who signs that list, and nowhere else: cryptography and CBOR cost
much of its start.
"""

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from gatepost.core.events import Holder, PassShown, ProofShown
from gatepost.core.facts import Code, DatedCode, Facts, Pass, Proof, ProofKind
from gatepost.core.faults import Fault
from gatepost.core.session import Brought
from gatepost.wiring.credentials import RosterOnly
from gatepost.wiring.passes import Passes
from gatepost.wiring.trusted_clock import trusted_now
from gatepost_config.settings import NOTHING, Settings
from gatepost_hal.ports import Clock, Direction
from gatepost_services.credentials import hcert
from gatepost_services.credentials.desk import PREFIXES, Presented, Verifier
from gatepost_services.credentials.errors import CredentialError

_log = logging.getLogger(__name__)

_REMEMBERED = 16  # passes between being shown and being used; a lane has one person at a time
_CODES = {word.value: word for word in Code}
_PROOFS = {kind.value: kind for kind in ProofKind}


class SignedToo(RosterOnly):
    """Signed passes and certificates as well, by the trust list that the gate holds."""

    def __init__(
        self, settings: Settings, passes: Passes, clock: Clock, closing: ExitStack
    ) -> None:
        super().__init__(passes)
        hours, secret = settings.passes.max_list_age_hours, settings.passes.step_secret
        self._clock = clock
        self._has_order = bool(settings.regime.name)
        self._verifier = Verifier(
            trust_path=settings.paths.trust_list,
            replay_path=settings.paths.pass_uses,
            root_keys=settings.passes.root_key.split(),
            site=settings.gate.site,
            gate=settings.gate.name,
            max_age=timedelta(hours=hours) if hours else None,
            step_secret_path=None if secret == NOTHING else secret,
        )
        closing.callback(self._verifier.close)
        self._presented: dict[str, Presented] = {}

    def shown(self, credential: str, direction: Direction, at_s: float) -> PassShown | ProofShown:
        """Return what was shown, verified; a code that does not count says why."""
        now = trusted_now(self._clock)
        if credential.startswith(PREFIXES):
            try:
                return self._signed(credential, direction, at_s, now)
            except CredentialError as error:
                _log.info("a pass was refused: %s", error)
                return PassShown(at_s, None, direction, refusal=error.refusal.value)
        if credential.startswith(hcert.PREFIX):
            try:
                return self._certificate(credential, direction, at_s, now)
            except CredentialError as error:
                _log.info("a certificate was refused: %s", error)
                return ProofShown(at_s, direction, refusal=error.refusal.value)
        return super().shown(credential, direction, at_s)

    def use(self, holder: Holder) -> str | None:
        """Count the use of a signed pass, durably; return why it may not be used, if so."""
        presented = self._presented.get(holder.pass_id or "")
        if presented is None:
            return "shown too long ago"
        try:
            self._verifier.consume(presented)
        except CredentialError as error:
            return str(error)
        return None

    def give_back(self, holder: Holder) -> None:
        """Take the use back: nobody walked."""
        presented = self._presented.get(holder.pass_id or "")
        if presented is not None and not self._verifier.give_back(presented):
            _log.error("a use of a pass could not be given back")

    def faults(self) -> Mapping[Fault, str | None]:
        """Return what is wrong with roster, trust list and counts by now; forget what has ended."""
        now = trusted_now(self._clock)
        self._verifier.trust.refresh()
        problems = [*self._verifier.problems]
        if self._verifier.set_aside is not None:
            problems.append(f"uses were damaged, and set aside as {self._verifier.set_aside}")
        if (why_not := self._verifier.keep_house(now)) is not None and why_not not in problems:
            problems.append(why_not)
        # Without a clock nobody can say how old it is; that is the clock's trouble.
        if now is not None and not problems and self._is_stale(now):
            problems.append("the trust list is older than [passes] max_list_age_hours")
        return {**super().faults(), Fault.TRUST: "; ".join(problems) or None}

    def _is_stale(self, now: datetime) -> bool:
        return bool(self._verifier.freshness(now).is_stale)

    def _signed(
        self, credential: str, direction: Direction, at_s: float, now: datetime | None
    ) -> PassShown:
        # What a pass with times is worth without a clock, and any by a list that is stale, is the
        # order's to say: it sees a pass that nobody vouches for. Where there is none, nobody says.
        presented = self._verifier.read(
            credential, direction.value, now, needs_clock=not self._has_order
        )
        claims = presented.claims
        if claims.escort and not self._has_order and direction is Direction.ENTRY:
            return PassShown(at_s, None, direction, refusal="no_escort")
        is_vouched = not claims.has_times if now is None else not self._is_stale(now)
        pass_id = None
        if presented.counted is not None:
            pass_id = claims.id.hex()
            self._presented[pass_id] = presented
            while len(self._presented) > _REMEMBERED:
                del self._presented[next(iter(self._presented))]
        holder = Holder(claims.subject, claims.category, pass_id=pass_id)
        self._passes.introduce(claims.subject, claims.category, claims.household)
        known = self._passes.known(holder, direction, household=claims.household)
        objection = self._passes.object_to(holder) if direction is Direction.ENTRY else None
        facts = _with_claims(known, claims, is_vouched=is_vouched)
        return PassShown(at_s, holder, direction, objection, facts)

    def _certificate(
        self, credential: str, direction: Direction, at_s: float, now: datetime | None
    ) -> ProofShown:
        certificate = hcert.read(credential, trusted=self._verifier.keys, now_utc=now)
        result = None if now is None else hcert.newest_naat([certificate], now)
        if result is None:
            return ProofShown(at_s, direction, refusal="no_test")
        if not result.is_negative:
            return ProofShown(at_s, direction, refusal="not_negative")
        test = Proof(ProofKind.NEGATIVE, result.taken_utc)
        return ProofShown(at_s, direction, Brought(test=test))


def _with_claims(known: Facts, claims: Any, *, is_vouched: bool) -> Facts:
    """Return what is known of a holder with what their signed pass says."""
    away_utc = claims.risk_area_utc
    days = None
    if away_utc is not None:
        # Without a clock they were there just now, as for a stay that the gate is told of.
        days = 0 if known.now is None else max(0, (known.now - away_utc).days)
    return replace(
        known,
        shown=Pass(claims.subject, claims.household, valid=True if is_vouched else None),
        health_code=_dated(claims.health_code),
        trip_card=_dated(claims.trip_card),
        test=claims.test and Proof(_PROOFS[claims.test.kind], claims.test.taken_utc),
        registered=claims.registered if claims.registered is not None else known.registered,
        needs_escort=claims.escort,
        risk_area_days=known.risk_area_days if days is None else days,
    )


def _dated(code: Any) -> DatedCode:
    return DatedCode() if code is None else DatedCode(_CODES[code.code], code.as_of_utc)
