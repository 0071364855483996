"""`[passes]`: one root key, or two while one follows the other."""

import pytest

KEY, NEXT = "0a" * 32, "ff" * 32


@pytest.mark.parametrize("root_key", ["", KEY, f"{KEY} {NEXT}"])
def test_a_root_key_is_none_one_or_two(settings_with, root_key):
    assert settings_with(("passes", "root_key", root_key)).passes.root_key == root_key


@pytest.mark.parametrize(
    "root_key",
    [KEY[:-1], KEY + "0", KEY.upper(), f"{KEY}  {NEXT}", f"{KEY} {NEXT} {KEY}", f"{KEY}\n", "zz"],
)
def test_anything_else_is_refused_with_what_it_may_be(problems_with, root_key):
    (problem,) = problems_with(("passes", "root_key", root_key))
    assert "must be the 64 hexadecimal digits of a public key, or two with a space" in problem


@pytest.mark.parametrize("hours", [-1, 8761])
def test_the_age_of_a_list_has_a_range(problems_with, hours):
    (problem,) = problems_with(("passes", "max_list_age_hours", hours))
    assert "a number from 0 to 8760" in problem


def test_where_the_gate_keeps_them_is_its_own_folder(settings_with):
    paths = settings_with(("paths", "gate_dir", "/gate")).paths
    assert str(paths.trust_list) == "/gate/trust.cose"
    assert str(paths.pass_uses) == "/gate/credentials.db"
