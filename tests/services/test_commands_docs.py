"""services/COMMANDS.md: its tables are the code's, and its example works."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import gatepost_services
from gatepost_services.commands.command import LAWS, MAX_LONG_WINDOW_S, MAX_WINDOW_S, Role
from gatepost_services.commands.judge import Why
from gatepost_services.commands.jws import Kind, is_signed_by, parse, sign
from gatepost_services.commands.remedies import REMEDIES
from gatepost_services.credentials.signing import hex_of, key_of_seed, kid_of

SERVICES = Path(gatepost_services.__file__).parents[1]
DOC = SERVICES / "COMMANDS.md"
pytestmark = pytest.mark.packaging
KEY = key_of_seed(bytes(range(32)))


@pytest.fixture(scope="module")
def text() -> str:
    return DOC.read_text(encoding="utf-8")


def block(text: str, kind: str, number: int = 0) -> str:
    found = re.findall(rf"^```{kind}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return found[number]


def part(text: str, name: str) -> str:
    return text.partition(f"<!-- {name} -->\n")[2].partition(f"<!-- /{name} -->")[0]


def test_the_table_of_reasons_is_the_codes(text):
    meanings = tomllib.loads(
        (SERVICES / "gatepost_services/contract/reasons.toml").read_text(encoding="utf-8")
    )
    rows = ["| why | meaning | what to do |", "|---|---|---|"]
    for why in Why:
        entry = meanings[why.value]
        assert "command" in entry["where"], why
        rows.append(f"| `{why}` | {entry['en']} | {REMEDIES[why]} |")
    assert part(text, "why").splitlines() == rows


def test_the_table_of_verbs_is_the_codes(text):
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in part(text, "verbs").splitlines()[2:]
    ]
    found = {row[0].strip("`"): row[2:] for row in rows}
    expected = {
        verb.value: [
            ", ".join(role for role in Role if role in law.roles),
            "yes" if law.is_timely else "no",
            f"{MAX_WINDOW_S if law.is_timely else MAX_LONG_WINDOW_S} s",
            ", ".join(law.arguments.__struct_fields__) or "none",
        ]
        for verb, law in LAWS.items()
    }
    assert found == expected


def test_the_example_is_what_the_code_signs(text):
    header, payload = block(text, "json"), block(text, "json", 1)
    signed = block(text, "text").strip()
    kid = kid_of(KEY.public_key())
    assert f"`{hex_of(KEY.public_key())}`" in text
    assert f"`{kid.hex()}`" in text
    assert sign(Kind.COMMAND, payload.strip().encode(), KEY, kid).decode() == signed
    assert f'"kid":"{kid.hex()}"' in header
    assert is_signed_by(parse(signed.encode()), [KEY.public_key()])


@pytest.fixture
def folder(text, tmp_path):
    (tmp_path / "key.pem").write_text(block(text, "pem"))
    (tmp_path / "header.json").write_text(block(text, "json").strip())
    (tmp_path / "payload.json").write_text(block(text, "json", 1).strip())
    return tmp_path


def ran(arguments: list[str], folder: Path) -> str:
    done = subprocess.run(
        arguments, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    if "rawin" in done.stderr or "not found" in done.stderr:
        pytest.skip("needs openssl 3")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_openssl_makes_the_same(text, folder):
    assert ran(["sh", "-euc", block(text, "sh")], folder) == block(text, "text").strip()


def test_another_library_makes_one_as_good(text, folder):
    made = ran([sys.executable, "-c", block(text, "python")], folder)
    signed = parse(made.encode())
    assert is_signed_by(signed, [KEY.public_key()])
    assert signed.kind is Kind.COMMAND
