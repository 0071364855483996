"""Wi-Fi: its names in the list of gates, its passwords from elsewhere, its key on the card.

On the card stands the key that WPA computes from name and password (IEEE 802.11, annex J.4): it
opens that network, and tells nobody a password that may be used elsewhere too.
"""

import hashlib
import re
import stat
import tomllib
from pathlib import Path

from gatepost_config.load import ConfigError

ENVIRONMENT = "GATEPOST_WIFI_PASSWORD"
WIRED, WIFI = "wired", "wifi:"
COUNTRY_FORM = re.compile(r"[A-Z]{2}\Z")
_MOST_NAME_BYTES = 32
_ROUNDS, _KEY_BYTES = 4096, 32
_KEY = re.compile(r"[0-9a-fA-F]{64}\Z")
_LEAST, _MOST = 8, 63
_STRANGERS = stat.S_IRWXG | stat.S_IRWXO
_PASSWORD_FORM = f"{_LEAST} to {_MOST} signs of ASCII, or 64 hexadecimal digits"


def name_of(network: str) -> str | None:
    """Return the Wi-Fi's name in a cell, "" for wired, None where it is neither."""
    if network == WIRED:
        return ""
    name = network.removeprefix(WIFI)
    is_wifi = network.startswith(WIFI) and 1 <= len(name.encode()) <= _MOST_NAME_BYTES
    return name if is_wifi else None


def key_of(name: str, password: str) -> str:
    """Return the key of a network, in hexadecimal.

    Raises:
        ValueError: it is no password of a Wi-Fi; the text does not quote it.
    """
    if _KEY.match(password):
        return password.lower()
    is_text = password.isascii() and password.isprintable()
    if not is_text or not _LEAST <= len(password) <= _MOST:
        raise ValueError(f"its password must be {_PASSWORD_FORM}")
    return hashlib.pbkdf2_hmac("sha1", password.encode(), name.encode(), _ROUNDS, _KEY_BYTES).hex()


def read_passwords(path: Path) -> dict[str, str]:
    """Return the passwords in a file, by the network's name: TOML, "NAME" = "PASSWORD" a line.

    Raises:
        ConfigError: it cannot be read, others can read it, or it is not written so. No password is
            quoted.
    """
    try:
        mode = path.stat().st_mode
        content: dict[str, object] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}."]) from None
    except (ValueError, RecursionError):
        # The error would quote the line.
        content = {"": None}
    if mode & _STRANGERS:
        raise ConfigError([f"{path}: others can read it; run: chmod 600 {path}"])
    if not all(isinstance(password, str) for password in content.values()):
        raise ConfigError([f'{path}: write a line for each network: "NAME" = "PASSWORD"'])
    return {name: str(password) for name, password in content.items()}
