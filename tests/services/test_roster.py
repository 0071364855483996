import pytest

from gatepost_services.roster import Member, Roster, RosterError

HEADER = b"credential,subject,category\n"
MARKED = b"credential,subject,category,mark\n"


@pytest.fixture
def load(tmp_path):
    def load(content: bytes) -> Roster:
        path = tmp_path / "roster.csv"
        path.write_bytes(content)
        return Roster.load(path)

    return load


def test_a_credential_is_looked_up(load):
    roster = load(HEADER + 'PASS-1,s-17,resident\n\n"PASS,2",s-18,visitor\r\nZAŻÓŁĆ,s,v'.encode())
    assert len(roster) == 3
    assert roster.look_up("PASS-1") == Member(subject="s-17", category="resident")
    assert roster.look_up("PASS,2") == Member(subject="s-18", category="visitor")
    assert roster.look_up("ZAŻÓŁĆ") == Member(subject="s", category="v")
    for unknown in ("", "pass-1", "PASS-1 ", "\ud800"):
        assert roster.look_up(unknown) is None


def test_a_byte_order_mark_and_an_empty_roster_are_fine(load):
    assert len(load(b"\xef\xbb\xbf" + HEADER)) == 0


def test_a_pass_shown_under_threat_is_a_second_one_of_the_same_subject(load):
    roster = load(MARKED + b"PASS-1,s-17,resident,\nPASS-2,s-17,resident,duress\n")
    assert roster.look_up("PASS-1") == Member("s-17", "resident", duress=False)
    assert roster.look_up("PASS-2") == Member("s-17", "resident", duress=True)


def test_without_the_column_no_pass_is_marked(load):
    assert load(HEADER + b"PASS-1,s-17,duress\n").look_up("PASS-1") == Member("s-17", "duress")


def test_no_credential_stays_in_memory(load):
    roster = load(HEADER + b"SECRET-PASS,s-1,resident\n")
    assert repr(roster) == "Roster(<1 members>)"
    assert "SECRET" not in repr(vars(roster))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", ":1: the header"),
        (b"credential,subject\n", ":1: the header"),
        (b"credential,subject,category,name\n", ":1: the header"),
        (b"subject,credential,category\n", ":1: the header"),
        (HEADER + b"SECRET,s\n", ":2: 2 cells"),
        (HEADER + b"SECRET,s,c,x\n", ":2: 4 cells; each line has 3"),
        (HEADER + b"SECRET,s,c,duress\n", ":2: 4 cells; each line has 3"),
        (MARKED + b"SECRET,s,c\n", ":2: 3 cells; each line has 4"),
        (MARKED + b"SECRET,s,c,duress,\n", ":2: 5 cells; each line has 4"),
        (b"credential,subject,mark,category\n", ":1: the header"),
        (b"credential,subject,category,mark,mark\n", ":1: the header"),
        (MARKED + b"SECRET,s,c,\nb,s,c,threat\n", ":3: mark is unknown; leave it empty, or "),
        (
            MARKED + b"a,s,c,Duress\n",
            ":2: mark is unknown; leave it empty, or write duress or isolated",
        ),
        (MARKED + b"a,s,c,SECRET\n", ":2: mark is unknown"),
        (MARKED + b"SECRET,s,c,duress \n", ":2: mark has blanks"),
        (MARKED + b"SECRET,s,,duress\n", ":2: category is empty"),
        (HEADER + b"SECRET,,c\n", ":2: subject is empty"),
        (HEADER + b",s,c\n", ":2: credential is empty"),
        (HEADER + b"SECRET,s,c\n\nSECRET,s,c\n", ":4: the credential of line 2 again"),
        (HEADER + b"SECRET" * 100 + b",s,c\n", ":2: credential has 600 characters"),
        (HEADER + b"SECRET ,s,c\n", ":2: credential has blanks"),
        (HEADER + b"SEC\x00RET,s,c\n", ":2: "),
        (HEADER + b"a,s,c\nSECRET\xff,s,c\n", ":3: not UTF-8"),
        (HEADER + b'"SECRET,s,c\n', ":2: not CSV"),
    ],
)
def test_whatever_is_wrong_is_told_with_its_line_and_without_the_credential(
    load, tmp_path, content, message
):
    with pytest.raises(RosterError) as caught:
        load(content)
    assert f"{tmp_path}/roster.csv{message}" in str(caught.value)
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None or "SECRET" not in str(caught.value.__cause__)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(RosterError, match="No such file"):
        Roster.load(tmp_path / "roster.csv")
