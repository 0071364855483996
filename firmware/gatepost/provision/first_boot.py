"""The first boot of a gate: takes its settings and its token from the boot partition, once.

Each step leaves the disk so that the next run, after a power cut at any instant, does what is
left: the settings are in force before they are renamed on the card; the token is wiped after the
certificate is there; and what tells "the certificate is of this token" from "it was there before"
is written down before the token is used.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from gatepost.core.words import Text
from gatepost.provision import texts
from gatepost.provision.card import SETTINGS, TOKEN, Card, CardError, read_file, replace_file
from gatepost.provision.outcome import AGAIN, DONE, WRONG, Outcome
from gatepost.wiring.order_in_force import check_order
from gatepost.wiring.thermometer import check_part
from gatepost_config.load import ConfigError, load, parse
from gatepost_config.settings import Settings

_SETTINGS_MODE = 0o640
_BEFORE = ".before"  # beside the settings


@dataclass(frozen=True, slots=True)
class FirstBoot:
    """What is done at a first boot.

    Args:
        card: the boot partition.
        config: the settings in force, /etc/gatepost/gatepost.toml.
        is_again: whether this gate may become another one.
        enrols: whether the token is used; without it no network is needed.
    """

    card: Card
    config: Path
    is_again: bool = False
    enrols: bool = True

    def run(self) -> Outcome:
        """Do what is left to do, and say how it went, here and on the card."""
        try:
            outcome = self._run()
        except CardError as error:
            outcome = Outcome(AGAIN, Text(texts.DISK, {"why": error}))
        if not outcome.is_news:
            return outcome
        try:
            self.card.report(outcome.text())
        except CardError as error:
            problems = (*outcome.problems, f"{error}.")
            return Outcome(max(outcome.status, AGAIN), outcome.line, problems)
        return outcome

    def _run(self) -> Outcome:
        content = self.card.read(SETTINGS)
        if content is not None:
            outcome = self._install(content)
            if outcome.status != DONE:
                return outcome
        else:
            outcome = Outcome(DONE, texts.NOTHING_TO_DO, is_news=False)
        token = self.card.read(TOKEN)
        if token is None:
            return outcome
        try:
            settings = load(self.config)
        except ConfigError as error:
            return Outcome(WRONG, Text(texts.NO_SETTINGS, {"why": error.problems[0]}))
        if self.enrols:
            # Here: `cryptography` takes a while to load, and the settings need none of it.
            from gatepost.provision.enrolment import Enrolment  # noqa: PLC0415

            return Enrolment(self.card, settings).run(token)
        return Outcome(DONE, Text(texts.WAITS, {"gate": texts.name_of(settings)}))

    # ---------------------------------------------------------------------------------- settings

    def _install(self, content: bytes) -> Outcome:
        """Put the card's settings in force, if a gate would start with them."""
        path = self.card.folder / SETTINGS
        held = read_file(self.config)
        try:
            settings = _checked(content, path)
        except ConfigError as error:
            kept = () if held is None else (texts.KEPT,)
            return Outcome(WRONG, texts.WRONG_SETTINGS, (*kept, texts.REPAIR, *error.problems))
        gate, old = texts.name_of(settings), _name_in(held)
        is_another = old is not None and old != gate
        if is_another and not self.is_again:
            return Outcome(WRONG, Text(texts.REFUSED, {"gate": gate, "old": old}))
        if held != content:
            if held is not None:
                replace_file(self._beside(_BEFORE), held, _SETTINGS_MODE)
            replace_file(self.config, content, _SETTINGS_MODE)
        line = texts.NO_TOKEN_FOR_ANOTHER if is_another else texts.CONFIGURED
        outcome = Outcome(DONE, Text(line, {"gate": gate, "old": old}))
        # Before the last step: after it nothing would be left to do, nor to report.
        self.card.report(outcome.text())
        self.card.retire_settings()
        return outcome

    def _beside(self, end: str) -> Path:
        return self.config.with_name(self.config.name + end)


def _checked(content: bytes, path: Path) -> Settings:
    """Return the settings in a file, as `gatepost config check` would.

    Raises:
        ConfigError: a gate would not start with them.
    """
    try:
        text = content.decode()
        raw = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: not UTF-8 text (byte {error.start})."]) from None
    except (ValueError, RecursionError) as error:
        raise ConfigError([f"{path}: not TOML: {error}."]) from None
    settings = parse(raw, path=path, text=text)
    check_part(settings, path)
    check_order(settings)
    return settings


def _name_in(content: bytes | None) -> str | None:
    """Return the gate that a file in force is for, even one that no gate starts with."""
    try:
        gate = tomllib.loads((content or b"").decode())["gate"]
        return f"{gate['site']}/{gate['name']}"
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
