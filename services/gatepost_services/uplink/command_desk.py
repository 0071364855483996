"""The desk of the commands: from the broker into the inbox, and the gate's answers back.

Only the form is checked. A command is acknowledged to the broker when it is on the disk of the
inbox; killed between the two, it comes again, and lies there twice: the gate obeys it once, and
answers both alike. A command that the gate has not answered stays in the inbox, so the inbox says
which answers are still to be published, over a restart of the link, too.
"""

import json
import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from gatepost_services.commands.memory import Answer, AnswerReader
from gatepost_services.contract.events import event_source
from gatepost_services.edge_log import EdgeLog
from gatepost_services.inbox import Inbox, InboxFullError
from gatepost_services.record import JsonValue
from gatepost_services.uplink.desk import Message, Post
from gatepost_services.uplink.letters import MOST_BYTES, LetterError, check_command, id_of

_LOG = logging.getLogger(__name__)
MOST_CORRELATION_BYTES = 256
_MOST_TOPIC_LENGTH = 200
# Refusals of the link's own that wait to be published; what is beyond is only counted.
_MOST_REFUSALS = 64
# Whoever asked is no longer waiting for it after a day.
_EXPIRY_S = 86_400
_LOOK_S = 0.25
_PAGE, _MOST_PAGES = 50, 20
# Answers that promised a replay, and are known as such when they come again.
_MOST_REPLAYED = 256
_DENIED = 0x80


class _Reply(NamedTuple):
    """An answer on its way. `letter`: to which one of the inbox; None: a refusal of the link."""

    post: Post
    letter: int | None


class CommandDesk:
    """The commands of one gate. `inbox` and `answers` are the caller's, and belong to its thread.

    `on_replay(first, last)` is called once for each answer that promises events once more.

    Raises:
        ValueError: a name of another form than `event_source` demands.
    """

    def __init__(
        self,
        site: str,
        gate: str,
        inbox: Inbox,
        answers: AnswerReader,
        on_replay: Callable[[int, int], None] = lambda first, last: None,  # noqa: ARG005
    ) -> None:
        base = event_source(site, gate)[1:]
        self._topic = f"{base}/command"
        self._reply_topic = f"{base}/reply"
        self._inbox = inbox
        self._answers = answers
        self._on_replay = on_replay
        self._refusals: deque[_Reply] = deque()
        self._replies: deque[_Reply] = deque()
        self._last: Answer | None = None  # the last one that was read
        self._replayed: deque[bytes] = deque(maxlen=_MOST_REPLAYED)
        self._look_at_s = 0.0
        self._received = 0
        self._refused: Counter[str] = Counter()
        self._undelivered = 0
        self._read_log, self._form_log = EdgeLog(_LOG), EdgeLog(_LOG)
        self._reply_log = EdgeLog(_LOG, logging.ERROR)

    @property
    def topics(self) -> Sequence[str]:
        """The commands'."""
        return (self._topic,)

    def figures(self) -> dict[str, JsonValue]:
        """Return what the status tells of commands."""
        return {
            "received": self._received,
            "refused": dict(sorted(self._refused.items())),
            "replies_undelivered": self._undelivered,
        }

    def connected(self, now_s: float) -> None:
        """Begin with a new connection: what is wrong is told once in each."""
        self._look_at_s = now_s
        self._form_log = EdgeLog(_LOG)

    def take(self, message: Message, now_s: float) -> None:
        """Put a command into the inbox, or refuse it.

        Raises:
            OSError: the inbox cannot be written (InboxError).
        """
        text = message.payload
        if not text:
            return  # somebody takes a retained one back
        if message.is_retained:
            # Of unknown age, and it would come again with each connection.
            self._refuse(message, "retained", id_of(text), "a command must not be retained")
        elif len(text) > MOST_BYTES:
            detail = f"{len(text)} bytes; at most {MOST_BYTES}"
            self._refuse(message, "too_large", id_of(text), detail)
        else:
            self._keep(message)
        self._look_at_s = min(self._look_at_s, now_s + _LOOK_S)

    def next_post(self, now_s: float) -> Post | None:
        """Return the next answer."""
        if self._refusals:
            return self._refusals[0].post
        if not self._replies and now_s >= self._look_at_s:
            self._look_at_s = now_s + _LOOK_S
            self._read()
        return self._replies[0].post if self._replies else None

    def posted(self, post: Post, reason: int, now_s: float) -> None:
        """Forget what is answered; where the broker refuses a response topic, use our own."""
        del now_s
        waiting = self._refusals or self._replies
        if not waiting or waiting[0].post != post:
            waiting = self._replies
        if not waiting or waiting[0].post != post:
            return
        reply = waiting.popleft()
        if reason >= _DENIED and post.topic != self._reply_topic:
            waiting.appendleft(reply._replace(post=post._replace(topic=self._reply_topic)))
            return
        if reason >= _DENIED:
            # Whoever sent it can ask again. To wait for the broker would close the inbox to others.
            self._undelivered += 1
            self._reply_log.failed("the broker takes no answers; they are counted and dropped")
        else:
            self._reply_log.recovered("the broker takes answers again")
        if reply.letter is not None:
            self._forget(reply.letter)

    def _keep(self, message: Message) -> None:
        try:
            check_command(message.payload)
        except LetterError as error:
            self._refuse(message, "malformed", error.id, str(error))
            return
        try:
            self._inbox.put("command", message.payload, *self._sender(message))
        except InboxFullError as error:
            self._refuse(message, "busy", id_of(message.payload), str(error))
            return
        self._received += 1

    def _sender(self, message: Message) -> tuple[str | None, bytes | None]:
        """Return where and with what the answer is wanted: below our own topic, or nowhere."""
        topic, correlation = message.response_topic, message.correlation
        below = (topic or "").removeprefix(f"{self._reply_topic}/")
        is_ours = (
            topic is not None
            and topic.startswith(f"{self._reply_topic}/")
            and len(topic) <= _MOST_TOPIC_LENGTH
            and below != ""
            and below.isprintable()
            and not set(below) & set("+#")
        )
        if correlation is not None and len(correlation) > MOST_CORRELATION_BYTES:
            correlation = None
        return (topic if is_ours else None), correlation

    def _refuse(self, message: Message, why: str, id_: str | None, detail: str) -> None:
        self._refused[why] += 1
        self._form_log.failed("a command is refused: %s (%s)", why, detail)
        if id_ is None or len(self._refusals) >= _MOST_REFUSALS:
            return
        body: dict[str, JsonValue] = {"id": id_, "status": "refused", "why": why, "detail": detail}
        respond_to, correlation = self._sender(message)
        self._refusals.append(
            _Reply(self._post(_encoded(body), respond_to, correlation), letter=None)
        )

    def _read(self) -> None:
        """Read answers; those to letters that are no longer in the inbox were published before."""
        for _ in range(_MOST_PAGES):
            last = self._last
            try:
                page = self._page()
                replies = [reply for answer in page if (reply := self._reply(answer)) is not None]
            except OSError as error:  # CommandMemoryError, InboxError
                self._last = last
                if self._received:  # where no command came, the gate may have no answers at all
                    self._read_log.failed("%s; answers wait", error)
                return
            self._read_log.recovered("answers can be read again")
            self._replies.extend(replies)
            if replies or not page:
                return

    def _page(self) -> list[Answer]:
        last = self._last
        found = self._answers.after(last.number - 1 if last else 0, _PAGE)
        if last is not None:
            if not found or found[0] != last:
                # A new file of the gate: its numbers begin again.
                self._last = None
                return self._page()
            del found[0]
        if found:
            self._last = found[-1]
            self._look_at_s = 0.0  # there may be more
        return found

    def _reply(self, answer: Answer) -> _Reply | None:
        if answer.epoch != self._inbox.epoch:
            return None
        sender = self._inbox.sender(answer.letter)
        if sender is None:
            return None
        self._begin_replay(answer)
        return _Reply(self._post(answer.body, sender.respond_to, sender.correlation), answer.letter)

    def _begin_replay(self, answer: Answer) -> None:
        try:
            asked = json.loads(answer.body).get("replay")
            first, last = int(asked["first"]), int(asked["last"])
        except (ValueError, TypeError, KeyError, AttributeError):
            return
        # A command that comes again is answered again, and replays nothing twice.
        if answer.body not in self._replayed:
            self._replayed.append(answer.body)
            self._on_replay(first, last)

    def _forget(self, letter: int) -> None:
        # The gate answers letters in their order: what is before has its answer as well.
        try:
            self._inbox.forget(letter)
        except OSError as error:
            self._read_log.failed("%s; an answer may be published twice", error)

    def _post(self, body: bytes, respond_to: str | None, correlation: bytes | None) -> Post:
        topic = respond_to or self._reply_topic
        return Post(topic, body, correlation=correlation, expiry_s=_EXPIRY_S)


def _encoded(body: dict[str, JsonValue]) -> bytes:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
