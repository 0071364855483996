"""A small regime whose lines are known, and what is said of it when something in it is changed."""

from pathlib import Path

import pytest

from gatepost_config.load import ConfigError
from gatepost_config.regime_settings import RegimeSettings
from gatepost_config.regimes import load_regime

# Numbers of lines are in the tests: a line more here moves them all.
TEXT = """\
regime = "mine"
title = "An order of our own"
sources = ["000"]
sequence = ["isolation", "temperature", "health_code"]
[window]
[entrances]
open = ["*"]
[limits]
index_c = 37.3
test_hours = 48
long_test_days = 7
look_back_days = 14
quota_days = 2
works_inside = 4
code_hours = 0
capacity = 0
observation_days = 14
disinfections_a_day = 2
[choices]
hot_resident = "home"
visitors = "register"
couriers = "drop_zone"
vehicles = "register"
works = "limited"
red_or_yellow_resident = "refer"
red_or_yellow_tested = "refer"
unknown_code = "refer"
returned_resident = "admit"
close_contact = "home"
going_out = "free"
mask = "prompt"
measure_on_exit = "required"
red_or_yellow_leaving = "refer"
hot_leaving = "refer"
[checks]
isolation = []
temperature = ["R001"]
health_code = ["R033"]
[findings]
isolated = { then = "deny" }
mask_unknown = { then = "admit" }
no_mask = { then = "mask" }
unmeasured = { then = "recheck" }
near_limit = { then = "recheck" }
hot = { then = "deny", rules = ["R006"], tell = ["community at once"], say = ["see_doctor"] }
code_unknown = { then = "refer" }
coded = { then = "deny" }
coded_tested = { then = "deny" }
trip_unknown = { then = "admit" }
risk_area = { then = "refer" }
risk_area_tested = { then = "refer" }
no_test = { then = "refer" }
no_pass = { then = "admit" }
bad_pass = { then = "deny" }
unregistered = { then = "refer" }
no_escort = { then = "deny" }
no_household = { then = "refer" }
over_quota = { then = "deny" }
works_full = { then = "deny" }
works_unknown = { then = "refer" }
over_capacity = { then = "refer" }
no_clock = { then = "refer" }
[[entry]]
who = ["resident", "tenant"]
may = "admit"
checks = ["isolation", "temperature"]
rules = ["R001"]
if.hot = { then = "hot_resident" }
[[entry]]
who = ["returned_resident", "visitor", "courier", "vehicle", "property_staff", "sanitation",
  "medical", "epidemic_control", "supply", "emergency", "works", "released", "close_contact",
  "sealed_building", "guardian", "unknown"]
may = "refer"
[[exit]]
who = ["resident", "tenant", "returned_resident", "visitor", "courier", "vehicle",
  "property_staff", "sanitation", "medical", "epidemic_control", "supply", "emergency", "works",
  "released", "close_contact", "sealed_building", "guardian", "unknown"]
may = "going_out"
checks = ["isolation"]
"""
Change = tuple[str, str]


def written(folder: Path, *changes: Change) -> Path:
    """Write the regime with some of its words replaced; each must be there, once."""
    text = TEXT
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def settings(folder: Path, *changes: Change, site: str | None = None) -> RegimeSettings:
    """Return the regime with some words replaced, changed by the text of a site file."""
    return load_regime(written(folder, *changes), written_site(folder, site))


def written_site(folder: Path, text: str | None) -> Path | None:
    if text is None:
        return None
    path = folder / "site.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, *changes: Change, site: str | None = None) -> list[str]:
    """Return what is said of the regime then, without the folder that each problem begins with."""
    with pytest.raises(ConfigError) as caught:
        settings(folder, *changes, site=site)
    assert all(problem.startswith(f"{folder}/") for problem in caught.value.problems)
    return [problem.replace(f"{folder}/", "") for problem in caught.value.problems]
