"""The vectors that other implementations check themselves against, and the example of the page."""

import json
import re
from datetime import datetime
from pathlib import Path

import pytest

from gatepost_services.credentials import signed_pass, signing, steps, trust
from gatepost_services.credentials.claims import of_cwt, of_document, to_cwt
from gatepost_services.credentials.desk import Verifier
from gatepost_services.credentials.errors import CredentialError
from gatepost_services.credentials.keys import by_id

from .pass_kit import ROOT_HEX, trust_list, trusted
from .pass_vectors import FOLDER, PASSES, made

PAGE = Path(__file__).parents[2] / "services" / "CREDENTIALS.md"


def vector(name):
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def test_the_files_are_those_that_the_script_makes():
    names = {file.stem for file in FOLDER.glob("*.json")}
    assert names == set(made())
    for name, fresh in made().items():
        found, content = vector(name), json.loads(json.dumps(fresh))
        for text in ("text", "shown"):  # another zlib may pack the same in other bytes
            found.pop(text, None)
            content.pop(text, None)
        for each in [*found.get("codes", ()), *content.get("codes", ())]:
            each.pop("text")
        assert found == content, f"{name}: run python -m tests.services.pass_vectors"


@pytest.mark.parametrize("name", PASSES)
def test_a_vector_says_the_same_at_every_stage(name):
    found = vector(name)
    claims = of_document(found["claims"])
    key = signing.key_of_seed(bytes.fromhex(found["key_seed"]))
    assert to_cwt(claims).hex() == found["cwt"]
    assert of_cwt(bytes.fromhex(found["cwt"])) == claims
    assert signed_pass.unwrapped(found["text"], "GP1:").hex() == found["cose"]
    assert signed_pass.unwrapped(signed_pass.issue(claims, key), "GP1:").hex() == found["cose"]
    message = signed_pass.message_in(found["text"])
    assert message.kid.hex() == found["kid"]
    public = signing.key_of_hex(found["public"])
    assert signed_pass.authentic(message, by_id([trusted(key=public)]), None) == claims


def test_the_stepped_vector_is_shown_as_it_says():
    found = vector("stepped")
    key = steps.pass_key(bytes.fromhex(found["site_secret"]), of_document(found["claims"]).id)
    assert key.hex() == found["pass_key"]
    shown = steps.stepped_in(found["shown"])
    assert (shown.step, shown.tag.hex()) == (found["step"], found["tag"])
    again = steps.stepped_in(steps.show(found["text"], key, found["step"]))
    assert again == shown


def test_the_list_of_keys_is_read():
    found = vector("trust-list")
    root = signing.key_of_hex(found["root"])
    held = trust.read(bytes.fromhex(found["cose"]), roots=[root], site=found["site"])
    assert held.version == found["version"]
    assert held.issued_utc == datetime.fromisoformat(found["issued_utc"])
    assert [key.kid.hex() for key in held.keys] == found["kids"]
    assert {each.hex() for each in held.revoked_keys} == set(found["revoked_keys"])
    assert {each.hex() for each in held.revoked_passes} == set(found["revoked_passes"])


def test_each_refused_code_is_refused_for_what_it_says(tmp_path):
    found = vector("refused")
    signing.write_secret(tmp_path / "steps", bytes.fromhex(found["site_secret"]))
    desk = Verifier(
        trust_path=tmp_path / "trust.cose",
        replay_path=tmp_path / "credentials.db",
        root_keys=[ROOT_HEX],
        site=found["site"],
        gate=found["gate"],
        max_age=None,
        step_secret_path=tmp_path / "steps",
    )
    desk.install(trust_list())
    for each in found["codes"]:
        with pytest.raises(CredentialError) as caught:
            desk.read(each["text"], found["direction"], datetime.fromisoformat(found["now_utc"]))
        assert caught.value.refusal == each["refusal"], each["why"]
    desk.close()


@pytest.mark.packaging
def test_the_example_of_the_page_runs_and_the_bytes_it_shows_are_those_of_the_vector():
    page = PAGE.read_text(encoding="utf-8")
    example = next(
        block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "GP1" in block
    )
    space = {}
    exec(compile(example, str(PAGE), "exec"), space)  # noqa: S102 our own page
    assert signed_pass.message_in(space["text"])
    assert vector("visitor-once")["cwt"] in re.sub(r"[\s|]|#.*", "", page)
