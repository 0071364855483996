"""The texts of settings in the language of the user: their English ones are `reference.toml`."""

from gatepost.cli.words import is_english, say, space
from gatepost.doctor.columns import wrapped
from gatepost_config.tongue import ENGLISH, Tongue


def tongue() -> Tongue:
    """Return the language of the user, for what `gatepost_config` says."""
    return ENGLISH if is_english() else Tongue(say, wrapped, space())


def joined(names: tuple[str, ...]) -> str:
    """Return names in one list."""
    first, *others = names
    for each in others:
        first = say("{one} and {other}", one=first, other=each)
    return first
