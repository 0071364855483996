"""The order that the central server has set: the regime, and the site's lines with it.

It lies in a file beside the last good one of this machine's own, with its version: the content and
which version it is change together, or not at all.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from gatepost.core.regime import Regime
from gatepost.wiring.regimes import resolved
from gatepost_config.load import ConfigError
from gatepost_config.paths import Paths
from gatepost_config.regimes import parse_source
from gatepost_services.state_file import StateFileError, read_state, write_state

_NAME = "regime-desired.json"


class RegimeTexts(Struct, frozen=True, forbid_unknown_fields=True):
    """A regime document in JSON: the regime, and the site's own lines in place of the gate's."""

    regime: str
    site: str | None = None


class ServerOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """What was set: version and digest of the document, and both files as texts (TOML).

    `site` None: no line of the site changes it.
    """

    version: Annotated[int, Meta(ge=1)]
    digest: str
    regime: str
    site: str | None

    @property
    def name(self) -> str:
        """What stands in messages in the place of a file's name."""
        return f"regime document, version {self.version}"


def order_path(paths: Paths) -> Path:
    """Return where it lies; written by the gate alone."""
    return paths.regime.with_name(_NAME)


def texts_of(content: bytes) -> RegimeTexts:
    """Return what a regime document holds: TOML, or JSON with a regime and the site's lines.

    Raises:
        ConfigError: neither.
    """
    try:
        text = content.decode("utf-8")
        if not text.lstrip().startswith("{"):  # no TOML begins so
            return RegimeTexts(text)
        return msgspec.json.decode(text, type=RegimeTexts)
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError) as error:
        raise ConfigError([f"regime document: neither TOML nor JSON of ours: {error}."]) from None


def load_order(path: Path) -> ServerOrder | None:
    """Return what was set, None where nothing ever was.

    Raises:
        StateFileError: it cannot be read, or is damaged.
    """
    content = read_state(path)
    if content is None:
        return None
    try:
        return msgspec.json.decode(content, type=ServerOrder)
    except msgspec.DecodeError as error:
        raise StateFileError(f"{path}: damaged: {error}; send the regime again") from None


def save_order(path: Path, order: ServerOrder) -> None:
    """Put it in the place of the last one, on the disk.

    Raises:
        StateFileError: the last one is still there.
    """
    write_state(path, msgspec.json.encode(order))


def built(order: ServerOrder, gate: str) -> Mapping[str, Regime]:
    """Return its regimes by name, as `regimes.load` does.

    Raises:
        ConfigError: it cannot be used; each problem with its line.
    """
    source = parse_source(order.name, order.regime)
    site = None if order.site is None else parse_source(f"{order.name}, site", order.site)
    return resolved(source, site, gate)
