"""Where it is written down which token is being used."""

from pathlib import Path

from gatepost_config.settings import Settings


def note_path(settings: Settings) -> Path:
    """Return the note's path: beside the certificate, where whoever enrols may write."""
    return settings.tls.certificate.parent / "first-boot.json"
