"""The documents of the contract are what the code makes; another schema is another version."""

import json
from pathlib import Path
from typing import Annotated

import pytest
from msgspec import UNSET, Meta, UnsetType

from gatepost.cli import main
from gatepost.cli.contract import renewed
from gatepost_services.contract import documents, json_schemas
from gatepost_services.contract.channels import CHANNELS
from gatepost_services.contract.people import ProofRefused
from gatepost_services.contract.schemas import schemas

REMEDY = "give the next one in contract/classes.py"


@pytest.fixture
def with_schema(monkeypatch):
    """Let a type have other data."""

    def change(type_, **changed):
        table = {**schemas(), type_: schemas()[type_]._replace(**changed)}
        monkeypatch.setattr(json_schemas, "schemas", lambda: table)

    return change


class WithMore(ProofRefused, frozen=True, kw_only=True):
    """With one member more, which may be missing."""

    more: int | UnsetType = UNSET


class InOtherWords(ProofRefused, frozen=True, kw_only=True):
    """The same, in other words."""

    why: Annotated[
        str,
        Meta(pattern="^[a-z][a-z0-9_]*$", max_length=64, description="Explained anew."),
    ]


def test_the_files_in_the_package_are_what_the_code_says():
    assert documents.drifted(documents.FOLDER, documents.package_files()) == []


def test_a_schema_that_changes_without_a_new_version_is_red(with_schema):
    known = json_schemas.versions({})
    with_schema("proof.refused", data=WithMore)
    with pytest.raises(json_schemas.VersionError, match=rf"proof\.refused 1; {REMEDY}"):
        json_schemas.versions(known)


def test_a_new_version_is_added_and_the_old_ones_stay(with_schema):
    known = json_schemas.versions({})
    with_schema("proof.refused", data=WithMore, version=2)
    after = json_schemas.versions(known)
    assert after["proof.refused"]["1"] == known["proof.refused"]["1"]
    assert after["proof.refused"]["2"] not in after["proof.refused"]["1"]
    assert {**after, "proof.refused": None} == {**known, "proof.refused": None}


def test_other_words_are_no_other_schema(with_schema):
    known = json_schemas.versions({})
    with_schema("proof.refused", data=InOtherWords)
    assert json_schemas.versions(known) == known


def test_a_type_that_is_gone_keeps_what_it_was():
    known = {**json_schemas.versions({}), "long.gone": {"1": "ab"}}
    assert json_schemas.versions(known)["long.gone"] == {"1": "ab"}


def test_a_member_that_is_called_like_an_annotation_counts():
    one = {"properties": {"title": {"type": "string"}}}
    other = {"properties": {"title": {"type": "integer"}}}
    assert json_schemas._without_words(one) != json_schemas._without_words(other)
    assert json_schemas._without_words({"title": "x", "type": "object"}) == {"type": "object"}


def test_the_command_writes_the_contract_and_sees_when_it_is_old(tmp_path, capsys):
    assert main.main(["contract", str(tmp_path)]) == 0
    assert f"{len(schemas())} types of event" in capsys.readouterr().out
    assert main.main(["contract", "--check", str(tmp_path)]) == 0
    schema = json.loads((tmp_path / "schemas/visit.admitted.json").read_text())
    assert schema["$id"] == "urn:gatepost:schema:visit.admitted:1"
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    (tmp_path / "schemas/visit.admitted.json").write_text("{}")
    (tmp_path / "versions.json").unlink()
    assert main.main(["contract", "--check", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "visit.admitted.json: not what the code says" in said
    assert "versions.json: not what the code says" in said
    assert main.main(["contract", str(tmp_path)]) == 0
    assert main.main(["contract", "--check", str(tmp_path)]) == 0


def test_the_command_says_what_is_wrong(tmp_path, capsys, with_schema):
    file = tmp_path / "file"
    file.write_text("")
    for arguments, text in (
        (["contract", "reasons", "--check"], "--check is for the files"),
        (["contract", "--markdown", "FILE"], "--markdown is for a table"),
        (["contract", str(file / "below")], "Not a directory"),
        (["contract", "reasons", "--markdown", str(file)], "no <!-- begin"),
    ):
        with pytest.raises(SystemExit):
            main.main(arguments)
        assert text in capsys.readouterr().err
    with_schema("proof.refused", data=WithMore)
    with pytest.raises(SystemExit):
        main.main(["contract", str(tmp_path)])
    assert REMEDY in capsys.readouterr().err


@pytest.mark.parametrize(("table", "row"), [("reasons", "not_now"), ("types", "visit.admitted")])
def test_the_command_prints_the_tables_and_renews_them_in_a_document(table, row, tmp_path, capsys):
    assert main.main(["contract", table]) == 0
    assert any(line.startswith(row) for line in capsys.readouterr().out.splitlines())
    page = tmp_path / "page.md"
    markers = [f"<!-- {word}: gatepost contract {table} -->" for word in ("begin", "end")]
    page.write_text("before\n{}old\n{}after\n".format(*markers))
    assert main.main(["contract", table, "--markdown", str(page)]) == 0
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert f"| `{row}` |" in text
    assert "old" not in text.split("-->")[1].splitlines()


PAGE = Path(__file__).parents[2] / "services/CONTRACT.md"


@pytest.mark.packaging
@pytest.mark.parametrize("table", ["reasons", "types"])
def test_the_page_has_the_table_of_the_code(table):
    text = PAGE.read_text(encoding="utf-8")
    assert text == renewed(text, table), (
        f"gatepost contract {table} --markdown services/CONTRACT.md"
    )


@pytest.mark.packaging
def test_the_page_names_every_topic():
    text = PAGE.read_text(encoding="utf-8")
    for channel in CHANNELS:
        assert f"`{channel.address.replace('{', '<').replace('}', '>')}`" in text, channel.address
