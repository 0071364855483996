"""Commands of the central server: from the link's inbox to the loop, and the answers back.

Theory of operation. The link writes what came into its inbox, and has no say in it. Here a letter
is read, its signature held against the keys of the trust list that may command, and what became of
it noted in the gate's own file, before anything moves (S7). The same letter twice is answered
twice and obeyed once; one that was cut off in the middle answers `interrupted`.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

import msgspec

from gatepost.core.events import Json, Record, Verb
from gatepost.core.faults import Fault
from gatepost.gate import Asked, Errand
from gatepost.wiring.trusted_clock import trusted_now
from gatepost_hal.ports import Clock
from gatepost_services.commands.command import (
    DOCUMENT_ROLES,
    EraseArguments,
    ReplayArguments,
    ServerCommand,
    ServerVerb,
)
from gatepost_services.commands.judge import (
    EXP_HAS_PASSED,
    Authentic,
    Refused,
    Why,
    authenticate,
    is_over,
    objection,
    read_command,
)
from gatepost_services.commands.jws import Kind
from gatepost_services.commands.memory import Case, CommandMemory, CommandMemoryError, Noted
from gatepost_services.credentials.keys import KeysById
from gatepost_services.inbox import InboxError, InboxReader, Letter

_LOOK_S = 0.25
_AGAIN_S = 5.0
# An inbox that cannot be read is told when it could not be so often: the link may just begin it.
_MOST_FAILURES = 3
# Of letters that whoever reaches the broker can send again and again, one record a minute and
# reason.
_QUIET_S = 60.0
_NOT_AUTHENTIC = "not_authentic"
_DESIRED = "desired"
# Of letters that nobody signed so many are turned away in one turn, with one wait for the disk.
_MOST_AT_ONCE = 16
_LANE_VERBS = {
    ServerVerb.RELEASE_ENTRY: Verb.RELEASE_ENTRY,
    ServerVerb.RELEASE_EXIT: Verb.RELEASE_EXIT,
    ServerVerb.LOCK: Verb.LOCK,
    ServerVerb.UNLOCK: Verb.UNLOCK,
    ServerVerb.CLOSE: Verb.CLOSE,
    ServerVerb.OPEN: Verb.OPEN,
}


class Desk(Protocol):
    """Who takes what a server wants the gate's documents to be, once the signature is good."""

    def offer(self, payload: bytes) -> str | None:
        """Take it; return a word that says why not, if so. What becomes of it is reported."""
        ...


class Errands(NamedTuple):
    """What a server may command that is none of the lane's. Each returns why not, if so."""

    identify: Callable[[], str | None]
    restart: Callable[[], str | None]
    erase: Callable[[str], str | None]


class Remote:
    """The inbox, as the loop wants it.

    Args:
        source: of this gate's events: whom a command must name.
        keys: returns the keys of the trust list that count now.
        memory: what was obeyed before; None where it cannot be had: then nothing is obeyed.
        inbox: what the link has received.
    """

    def __init__(
        self,
        source: str,
        clock: Clock,
        *,
        keys: Callable[[], KeysById],
        memory: CommandMemory | None,
        inbox: InboxReader,
        errands: Errands,
        documents: Desk,
        problem: str | None = None,
    ) -> None:
        self._source = source
        self._clock = clock
        self._keys = keys
        self._memory = memory
        self._inbox = inbox
        self._errands = errands
        self._documents = documents
        self._look_at_s = clock.now_s()
        self._problem = problem
        self._failures = 0
        self._news: list[Record] = []
        self._counted: Counter[str] = Counter()
        self._quiet_until_s: dict[str, float] = {}

    def asked(self) -> Sequence[Asked]:
        """Return the next command that counts, if there is one; the others are answered here."""
        if self._memory is None or self._clock.now_s() < self._look_at_s:
            return ()
        try:
            found = self._first(self._memory, self._next(self._memory))
        except InboxError as error:
            self._miss(error)
            return ()
        except CommandMemoryError as error:
            self._fail(error)
            return ()
        return () if found is None else (found,)

    def news(self) -> Sequence[Record]:
        """Return what is to be recorded of letters that were not obeyed."""
        now_s = self._clock.now_s()
        for why in [w for w in self._counted if now_s >= self._quiet_until_s.get(w, now_s)]:
            data: dict[str, Json] = {"why": why, "count": self._counted.pop(why)}
            self._news.append(Record("command.refused", now_s, data))
            self._quiet_until_s[why] = now_s + _QUIET_S
        news, self._news = self._news, []
        return news

    def faults(self) -> Mapping[Fault, str | None]:
        """Return what is wrong with inbox or memory by now."""
        return {Fault.COMMANDS: self._problem}

    def close(self) -> None:
        """Close the files."""
        self._inbox.close()
        if self._memory is not None:
            self._memory.close()

    # ------------------------------------------------------------------------------------ letters

    def _next(self, memory: CommandMemory) -> Sequence[Letter]:
        now = trusted_now(self._clock)
        if memory.since_s is None and now is not None:
            memory.begin_to_remember(now.timestamp())
        letters = self._inbox.after(*memory.place, _MOST_AT_ONCE)
        self._problem, self._failures = None, 0
        if not letters:
            self._look_at_s = self._clock.now_s() + _LOOK_S
        return letters

    def _first(self, memory: CommandMemory, letters: Sequence[Letter]) -> Asked | None:
        """Return what the first letter asks for, or turn away those in a row that nobody signed."""
        now, keys = trusted_now(self._clock), self._keys()
        turned_away: list[tuple[Letter, bytes]] = []
        for letter in letters:
            kind = Kind.DESIRED if letter.kind == _DESIRED else Kind.COMMAND
            found = authenticate(letter.content, kind, keys, now)
            if isinstance(found, Refused):
                turned_away.append((letter, _refusal(found)))
            elif turned_away:
                break  # its turn is the next one
            else:
                return self._judged(memory, letter, found, now)
        if turned_away:
            memory.end_all(turned_away)
            self._counted[_NOT_AUTHENTIC] += len(turned_away)
        return None

    def _judged(
        self, memory: CommandMemory, letter: Letter, authentic: Authentic, now: datetime | None
    ) -> Asked | None:
        """Return what a letter asks for; answer one that does not count."""
        if authentic.signed.kind is Kind.DESIRED:
            self._desired(memory, letter, authentic)
            return None
        command = read_command(authentic, self._source)
        if isinstance(command, Refused):
            memory.end(letter, None, _refusal(command))
            self._counted[command.why.value] += 1
            return None
        noted = memory.noted(command.jti)
        if noted is not None:
            self._answer_again(memory, letter, command, noted, authentic.digest)
            return None
        kid = authentic.signed.kid
        against = objection(
            command,
            authentic.roles,
            highest=memory.highest(kid),
            now_utc=now,
            known_since_s=memory.since_s,
        )
        case = Case(command.jti, authentic.digest, kid, command.counter)
        if against is not None:
            refused = Refused(*against, command, kid, is_authentic=True)
            memory.refuse(letter, case, _refusal(refused))
            self._tell(refused)
            return None
        memory.begin(case)
        return self._begun(memory, letter, command)

    def _begun(self, memory: CommandMemory, letter: Letter, command: ServerCommand) -> Asked | None:
        """Return a command that is noted, unless its time passed while the disk was slow."""
        now = trusted_now(self._clock)
        if now is None or not is_over(command, now):
            return self._asked(memory, letter, command)
        late = Refused(Why.EXPIRED, EXP_HAS_PASSED, command, is_authentic=True)
        memory.end(letter, command.jti, _refusal(late))
        self._tell(late)
        return None

    def _answer_again(
        self,
        memory: CommandMemory,
        letter: Letter,
        command: ServerCommand,
        noted: Noted,
        digest: bytes,
    ) -> None:
        """Answer a command that is known: as it was, or that nobody saw its end."""
        if noted.digest != digest:
            why_not: dict[str, Json] = {"why": Why.ID_REUSED.value}
            memory.end(letter, None, _body(command.jti, "refused", why_not, command.verb))
            self._counted[Why.ID_REUSED.value] += 1
        elif noted.result is not None:
            memory.end(letter, None, noted.result)
        else:
            why: dict[str, Json] = {"why": Why.INTERRUPTED.value}
            cut_off = _body(command.jti, "refused", why, command.verb)
            memory.end(letter, command.jti, cut_off)

    def _asked(self, memory: CommandMemory, letter: Letter, command: ServerCommand) -> Asked:
        """Return a command that counts, as the loop wants it."""

        def answer(content: Mapping[str, Json]) -> None:
            is_done = bool(content.get("done"))
            said: dict[str, Json] = {"state": content.get("state"), "utc": self._utc()}
            if not is_done:
                said["why"] = content.get("why")
            arguments = command.arguments()
            if is_done and isinstance(arguments, ReplayArguments):
                said["replay"] = {"first": arguments.first, "last": arguments.last}
            body = _body(command.jti, "done" if is_done else "refused", said, command.verb)
            try:
                memory.end(letter, command.jti, body)
            except CommandMemoryError as error:
                self._fail(error)  # asked again, it answers `interrupted`

        if command.verb in _LANE_VERBS:
            return Asked(_LANE_VERBS[command.verb], None, command.jti, command.by, answer)
        if command.verb is ServerVerb.ACKNOWLEDGE:
            return Asked(None, None, command.jti, command.by, answer, acknowledges=True)
        at_rest = command.verb in (ServerVerb.IDENTIFY, ServerVerb.RESTART)
        errand = Errand(command.verb.value, self._errand(command), at_rest)
        return Asked(None, None, command.jti, command.by, answer, errand=errand)

    def _errand(self, command: ServerCommand) -> Callable[[], str | None]:
        arguments = command.arguments()
        if isinstance(arguments, EraseArguments):
            return lambda: self._errands.erase(arguments.subject)
        match command.verb:
            case ServerVerb.IDENTIFY:
                return self._errands.identify
            case ServerVerb.RESTART:
                return self._errands.restart
            case _:
                return lambda: None  # the link sends the events; it reads that in the answer

    def _desired(self, memory: CommandMemory, letter: Letter, authentic: Authentic) -> None:
        if not authentic.roles & DOCUMENT_ROLES:
            refused = Refused(Why.NOT_AUTHORISED, "documents are for an administrator")
            memory.end(letter, None, _refusal(refused))
            self._counted[refused.why.value] += 1
            return
        # Before it is noted: offered once more after a kill in between, it changes nothing.
        why_not = self._documents.offer(authentic.signed.payload)
        said: dict[str, Json] = {} if why_not is None else {"why": why_not}
        memory.end(letter, None, _body(None, "taken" if why_not is None else "refused", said))

    # ------------------------------------------------------------------------------------ telling

    def _tell(self, refused: Refused) -> None:
        data: dict[str, Json] = {"why": refused.why.value, "detail": refused.detail}
        if refused.command is not None:
            data |= {
                "command": refused.command.jti,
                "verb": refused.command.verb.value,
                "by": refused.command.by,
            }
        self._news.append(Record("command.refused", self._clock.now_s(), data))

    def _miss(self, error: InboxError) -> None:
        """Look again later; what is not there is a link that never ran: nobody commands here."""
        self._look_at_s = self._clock.now_s() + _AGAIN_S
        self._failures += 1
        if isinstance(error.__cause__, FileNotFoundError):
            self._problem, self._failures = None, 0
        elif self._failures >= _MOST_FAILURES:
            self._problem = str(error)

    def _fail(self, error: CommandMemoryError) -> None:
        self._problem = str(error)
        self._look_at_s = self._clock.now_s() + _AGAIN_S

    def _utc(self) -> str | None:
        now = trusted_now(self._clock)
        return None if now is None else _text(now)


def _refusal(refused: Refused) -> bytes:
    id_ = None if refused.command is None else refused.command.jti
    verb = None if refused.command is None else refused.command.verb
    return _body(id_, "refused", {"why": refused.why.value, "detail": refused.detail}, verb)


def _body(
    id_: str | None, status: str, more: Mapping[str, Json], verb: ServerVerb | None = None
) -> bytes:
    said: dict[str, Json] = {"id": id_, "status": status}
    if verb is not None:
        said["verb"] = verb.value
    return msgspec.json.encode({**said, **more})


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
