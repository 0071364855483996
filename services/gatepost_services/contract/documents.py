"""The files of the contract, made from the code: what they should hold, and whether they do.

In the package: `asyncapi.json`, the whole contract, and `versions.json`, what each version of a
schema was. For whoever takes it elsewhere also `schemas/`, one JSON Schema a type.
"""

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from gatepost_services.contract import asyncapi, json_schemas
from gatepost_services.contract.schemas import schemas

FOLDER = Path(str(files(__package__)))
_VERSIONS = "versions.json"
_MESSAGE = "message."


def package_files() -> dict[str, str]:
    """Return the text of each file in the package, by name.

    Raises:
        VersionError: a schema changed and kept its version.
    """
    known = json_schemas.versions(_known_versions())
    return {"asyncapi.json": asyncapi.as_text(), _VERSIONS: _text(known)}


def all_files() -> dict[str, str]:
    """Return the text of every file for a folder elsewhere, by its path there.

    Raises:
        VersionError: a schema changed and kept its version.
    """
    found = package_files()
    for message in json_schemas.MESSAGES:
        path = f"schemas/{_MESSAGE}{message.__name__}.json"
        found[path] = _text(json_schemas.message_schema(message))
    for each in schemas().values():
        found[f"schemas/{each.name}.json"] = _text(json_schemas.data_schema(each))
    return found


def drifted(folder: Path, wanted: Mapping[str, str]) -> list[str]:
    """Return the names of the files that are not there, or hold something else."""
    return [name for name, text in wanted.items() if not _holds(folder / name, text)]


def write(folder: Path, wanted: Mapping[str, str]) -> None:
    """Write the files that are not as they should be.

    Raises:
        OSError: one cannot be written.
    """
    for name in drifted(folder, wanted):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[name], encoding="utf-8")


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == text.encode()
    except OSError:
        return False


def _known_versions() -> dict[str, dict[str, str]]:
    path = FOLDER / _VERSIONS
    if not path.exists():
        return {}
    found: dict[str, dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
