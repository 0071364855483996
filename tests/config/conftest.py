"""Configuration files to load, for the tests of the configuration."""

import tomllib
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest

from gatepost_config.load import ConfigError, load, parse
from gatepost_config.settings import Settings

# What a file must say, and the offset: a number that most sites set.
LEAST = """\
[gate]
site = "example-court"
name = "north-1"

[screening]
offset_c = 2.43

[link]
broker_host = "mqtt.example.org"
"""


@pytest.fixture(scope="session")
def least_text() -> str:
    return LEAST


@pytest.fixture(scope="session")
def settings_with() -> Callable[..., Settings]:
    """Return the settings of the least file with some values more, as (section, key, value)."""

    def make(*changes: tuple[str, str, object]) -> Settings:
        document: dict[str, dict[str, object]] = deepcopy(tomllib.loads(LEAST))
        for section, key, value in changes:
            document.setdefault(section, {})[key] = value
        return parse(document, path=Path("gate.toml"))

    return make


@pytest.fixture(scope="session")
def problems_with(settings_with) -> Callable[..., list[str]]:
    """Return the problems of the least file with some values more."""

    def make(*changes: tuple[str, str, object]) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            settings_with(*changes)
        return list(caught.value.problems)

    return make


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str | bytes], Path]:
    def make(content: str | bytes) -> Path:
        path = tmp_path / "gate.toml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return make


@pytest.fixture
def problems_of(write) -> Callable[[str | bytes], list[str]]:
    """Return the problems of a file with that content, without the path that each begins with."""

    def make(content: str | bytes) -> list[str]:
        path = write(content)
        with pytest.raises(ConfigError) as caught:
            load(path)
        assert all(problem.startswith(f"{path}:") for problem in caught.value.problems)
        return [problem.removeprefix(f"{path}:") for problem in caught.value.problems]

    return make
