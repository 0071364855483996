"""What is left to do at the card once somebody else has enrolled: as root, without the network.

Whoever enrols has the network, and so neither the card nor root's rights (systemd/README.md). What
it leaves is believed in nothing: the report is a text for people, and a token is wiped only if it
is the one that lies on the card.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path

from gatepost.core.words import Text
from gatepost.provision import texts
from gatepost.provision.card import REPORT, TOKEN, USED_TOKEN, Card, CardError, token_digest
from gatepost.provision.enrolment_note import note_path
from gatepost.provision.outcome import AGAIN, DONE, Outcome
from gatepost_config.load import ConfigError, load

_MOST_REPORT_BYTES = 4096


def finish(card: Card, answer: Path, config: Path) -> Outcome:
    """Put the report on the card, and wipe the token if it is used up.

    Args:
        card: the boot partition.
        answer: what `HandedCard` left.
        config: the settings in force.
    """
    try:
        return _finish(card, answer, config)
    except CardError as error:
        return Outcome(AGAIN, Text(texts.DISK, {"why": error}))


def _finish(card: Card, answer: Path, config: Path) -> Outcome:
    report, used = _left(answer / REPORT), _left(answer / USED_TOKEN)
    if report is not None:
        card.report(report.decode("utf-8", "replace"))
    token = card.read(TOKEN)
    if token is None or used != token_digest(token):
        return Outcome(DONE, texts.NOTHING_TO_FINISH)
    if card.wipe_token():
        with suppress(ConfigError, OSError):  # of use no more; the next token writes its own
            note_path(load(config)).unlink()
    return Outcome(DONE, texts.WIPED)


def _left(path: Path) -> bytes | None:
    """Return a small file of somebody else's making; None for whatever else is there.

    Raises:
        CardError: it cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CardError(f"{path} cannot be read: {error.strerror}") from error
    try:
        found = os.fstat(descriptor)
        # A second name could be that of any file.
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            raise CardError(f"{path} is not a file of its own")
        return os.read(descriptor, _MOST_REPORT_BYTES)
    finally:
        os.close(descriptor)
