"""The folders of gates on the technician's computer: all of them, or none.

They are made in a folder beside, read back by the loader that a gate uses, and moved into place.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from gatepost.provision import cloud_init, texts
from gatepost.provision.card import AUTHORITY, SETTINGS, TOKEN
from gatepost.provision.plan import Plan, pins_of, settings_text
from gatepost_config.load import ConfigError, load

LABEL = "LABEL.txt"
_NEW, _OLD = ".new-", ".old"
_FILE_MODE = 0o600


class FolderError(OSError):
    """The folders cannot be written. What was there is as it was."""


def check_free(out: Path, *, is_forced: bool) -> None:
    """Return if folders may be written below `out`.

    Raises:
        ConfigError: it holds something.
    """
    try:
        there = sorted(each for each in out.iterdir() if not each.name.startswith(_NEW))
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError([f"{out}: cannot be read: {error.strerror}."]) from None
    if there and not is_forced:
        raise ConfigError(
            [
                f"{out}: is not empty (it has {there[0].name}); name another folder, or say "
                "--force: it replaces folders of the gates in the list, and leaves the rest."
            ]
        )


def write_folders(
    out: Path,
    plans: Sequence[Plan],
    *,
    source: str,
    ssh_key: str | None = None,
    authority_pem: bytes = b"",
    make_token: Callable[[Plan], str] | None = None,
    until_utc: datetime | None = None,
) -> None:
    """Write a folder a gate, for their owner alone.

    Args:
        out: where; made when it is not there.
        plans: the gates.
        source: the name of the list, for the files' first lines.
        ssh_key: who may log in at each gate, None for nobody.
        authority_pem: who vouches for the tokens' server, empty where that is not known.
        make_token: makes a token, once everything else is written; None: the plans have theirs.
        until_utc: how long such a token is good.

    Raises:
        FolderError: the disk does not take them.
        ConfigError: a file does not say what it should; nothing is in place.
    """
    is_new = not out.exists()
    stage = _stage(out)
    try:
        for plan in plans:
            files = _files(plan, source, ssh_key, until_utc)
            if authority_pem:
                files[AUTHORITY] = authority_pem
            _write(stage / plan.name, files)
            _check(stage / plan.name, plan)
        for plan in plans:
            token = make_token(plan) if make_token else plan.token
            if token:
                _write_file(stage / plan.name / TOKEN, f"{token}\n{plan.enrol_url}\n".encode())
        for plan in plans:
            _put(stage, out, plan.name)
    except OSError as error:
        raise FolderError(f"{out}: cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        if is_new:
            with suppress(OSError):  # it holds folders, as it should
                out.rmdir()


def _stage(out: Path) -> Path:
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sweep(out)
        return Path(tempfile.mkdtemp(prefix=_NEW, dir=out))
    except OSError as error:
        raise FolderError(f"{out}: cannot be made: {error.strerror}") from error


def _sweep(out: Path) -> None:
    """Remove what a run left that was killed; a folder that it was about to replace goes back."""
    for stage in out.glob(f"{_NEW}*"):
        for old in stage.glob(f"*{_OLD}"):
            place = out / old.name.removesuffix(_OLD)
            if not place.exists():
                old.rename(place)
        shutil.rmtree(stage, ignore_errors=True)


def _files(
    plan: Plan, source: str, ssh_key: str | None, until_utc: datetime | None
) -> dict[str, bytes]:
    network = cloud_init.network_config(plan.wifi_name, plan.wifi_key, plan.wifi_country)
    found = {
        SETTINGS: settings_text(plan, f"{source}, line {plan.row.line}"),
        "user-data": cloud_init.user_data(plan.name, ssh_key),
        "network-config": network,
        "meta-data": cloud_init.meta_data(plan.name),
        LABEL: _label(plan, until_utc),
    }
    return {name: text.encode() for name, text in found.items()}


def _label(plan: Plan, until_utc: datetime | None) -> str:
    settings = plan.settings
    network = texts.WIRED
    if plan.wifi_name:
        network = texts.OVER_WIFI.format(name=plan.wifi_name, country=plan.wifi_country)
    enrolment = texts.BY_HAND.format(gate=settings.gate.name)
    if plan.enrol_url:
        form = texts.BY_TOKEN_UNTIL if until_utc else texts.BY_TOKEN
        enrolment = form.format(url=plan.enrol_url, until=until_utc)
    return texts.label(
        names=(settings.gate.site, settings.gate.name, plan.name),
        broker=f"{settings.link.broker_host}:{settings.link.broker_port}",
        network=network,
        enrolment=enrolment,
        sensor=(settings.sensor.part, settings.sensor.i2c_bus, settings.sensor.distance_cm),
        turnstile=(
            settings.turnstile.passage,
            settings.turnstile.release,
            settings.turnstile.release_hold_s,
        ),
        pins=pins_of(settings),
        secrets=tuple(
            word
            for word, is_there in (
                (texts.SECRET_TOKEN, plan.enrol_url),
                (texts.SECRET_WIFI, plan.wifi_name),
            )
            if is_there
        ),
    )


def _check(folder: Path, plan: Plan) -> None:
    if load(folder / SETTINGS) != plan.settings:
        raise ConfigError([f"{plan.row.place}: its settings cannot be written as they are."])


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir(mode=0o700)
    for name, content in files.items():
        _write_file(folder / name, content)


def _write_file(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _put(stage: Path, out: Path, name: str) -> None:
    """Move a folder into place; the one that was there goes with the stage."""
    with suppress(FileNotFoundError):
        (out / name).rename(stage / f"{name}{_OLD}")
    (stage / name).rename(out / name)
