"""The gate's side of signed passes: trust list, verification and counts behind one object."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from gatepost_services.credentials import signed_pass, steps
from gatepost_services.credentials.claims import Direction, SignedPass
from gatepost_services.credentials.errors import CredentialError, Refusal
from gatepost_services.credentials.keys import KeysById
from gatepost_services.credentials.replay import Counted, ReplayError, ReplayStore
from gatepost_services.credentials.signing import KeyFileError, key_of_hex, read_secret
from gatepost_services.credentials.trust import Freshness, TrustFile, TrustList, freshness

PREFIXES = (signed_pass.PREFIX, steps.PREFIX)


class Presented(NamedTuple):
    """A pass that was shown and is good, and what of it is counted: None is nothing."""

    claims: SignedPass
    counted: Counted | None


class Verifier:
    """Reads passes for one gate. Belongs to the thread that made it.

    Nothing here is a reason not to start: what cannot be used is told by `problems`, and refuses
    the passes that need it, those alone.

    `trust` is the list's file. `set_aside`: where a damaged file of counts is now, or None.
    """

    def __init__(
        self,
        *,
        trust_path: Path,
        replay_path: Path,
        root_keys: Sequence[str],
        site: str,
        gate: str,
        max_age: timedelta | None,
        step_secret_path: Path | None = None,
    ) -> None:
        """Open the files.

        Args:
            trust_path: the trust list; may be missing yet.
            replay_path: where uses are counted; made when missing.
            root_keys: who may sign the list: public keys in hexadecimal, one, or two while one
                follows the other.
            site: this gate's site.
            gate: its name.
            max_age: of the list; None is no limit.
            step_secret_path: where the site's secret for passes with steps is; None: there are
                none.
        """
        self.trust = TrustFile(trust_path, [key_of_hex(each) for each in root_keys], site)
        self.set_aside: Path | None = None
        self._site = site
        self._gate = gate
        self._max_age = max_age
        self._step_secret: bytes | None = None
        self._step_problem: str | None = None
        self._replay: ReplayStore | None = None
        self._replay_problem: str | None = None
        try:
            if step_secret_path is not None:
                self._step_secret = read_secret(step_secret_path)
        except KeyFileError as error:
            self._step_problem = str(error)
        try:
            self._replay = ReplayStore.open(replay_path)
            self.set_aside = self._replay.set_aside
        except ReplayError as error:
            self._replay_problem = str(error)

    def read(
        self,
        text: str,
        direction: Direction,
        now_utc: datetime | None,
        *,
        needs_clock: bool = True,
    ) -> Presented:
        """Return what a shown code says, if it is good here, now and this way; count nothing.

        Args:
            text: the code, of one of `PREFIXES`.
            direction: the way that the holder wants to go.
            now_utc: the time of day; None where no clock is trusted.
            needs_clock: as in `signed_pass.verify`.

        Raises:
            CredentialError: it is not.
        """
        self.trust.refresh()
        shown = steps.stepped_in(text) if text.startswith(steps.PREFIX) else None
        message = shown.message if shown else signed_pass.message_in(text)
        claims = signed_pass.authentic(message, self.trust.keys, now_utc)
        if shown:
            steps.check(shown, claims, self._step_secret, now_utc)
        elif claims.step_s is not None:
            raise CredentialError(Refusal.STEP, "a pass with steps, shown without one")
        signed_pass.check(
            claims,
            now_utc=now_utc,
            gate=self._gate,
            site=self._site,
            direction=direction,
            revoked=self.trust.held.revoked_passes if self.trust.held else (),
            needs_clock=needs_clock,
        )
        counted = _counted(claims, shown.step if shown else None)
        if counted is not None:
            self._counts().peek(counted)
        return Presented(claims, counted)

    def consume(self, presented: Presented) -> None:
        """Count the use, at the grant: after every other check, before the relay moves.

        It is on disk when this returns. Of a pass that is not counted, nothing is done.

        Raises:
            CredentialError: USED, since it was read; NO_MEMORY. Nobody is to be let through.
        """
        if presented.counted is not None:
            self._counts().consume(presented.counted)

    def give_back(self, presented: Presented) -> bool:
        """Take the use back, when the visit that consumed it ended and nobody walked.

        Once for a `consume`. Returns whether the holder has it again, now and over a restart.
        """
        if presented.counted is None:
            return True
        return self._replay is not None and self._replay.give_back(presented.counted.id)

    def keep_house(self, now_utc: datetime | None) -> str | None:
        """Forget what has ended, between two people; return why it could not be."""
        if self._replay is None or now_utc is None:
            return self._replay_problem
        try:
            self._replay.keep_house(now_utc)
        except ReplayError as error:
            return str(error)
        return None

    def install(self, data: bytes) -> TrustList:
        """Take a trust list that was pushed; see `TrustFile.install` for what is raised."""
        return self.trust.install(data)

    @property
    def keys(self) -> KeysById:
        """The keys that count, also those for health certificates."""
        return self.trust.keys

    def freshness(self, now_utc: datetime | None) -> Freshness:
        """Return how old the list is, and whether that is too old; no list is stale."""
        if self.trust.held is None:
            return Freshness(None, is_stale=True)
        return freshness(self.trust.held, now_utc, self._max_age)

    @property
    def problems(self) -> tuple[str, ...]:
        """What cannot be used, and what to do about it; empty: nothing."""
        found = (self.trust.problem, self._replay_problem, self._step_problem)
        return tuple(each for each in found if each is not None)

    def close(self) -> None:
        """Close the file of counts."""
        if self._replay is not None:
            self._replay.close()

    def _counts(self) -> ReplayStore:
        if self._replay is None:
            raise CredentialError(
                Refusal.NO_MEMORY, "uses are counted, and the file for that cannot be opened"
            )
        return self._replay


def _counted(claims: SignedPass, step: int | None) -> Counted | None:
    """Return what is counted of a pass; None: nothing."""
    if claims.uses is None and step is None:
        return None
    made_utc, ends_utc = claims.issued_utc, claims.expires_utc
    if step is not None and claims.step_s is not None:
        made_utc = steps.begin_of(step, claims.step_s)
        if ends_utc is None or claims.uses is None:
            # Beyond the drift no step of now is refused for having been used.
            ends_utc = steps.begin_of(step + 1 + 2 * steps.DRIFT_STEPS, claims.step_s)
    if ends_utc is None:
        raise CredentialError(Refusal.FORMAT, "no pass: counted, and without an end")
    return Counted(claims.id, claims.uses, step, made_utc, ends_utc)
