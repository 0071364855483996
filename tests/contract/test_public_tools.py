"""The public tools of the npm registry read the contract: @asyncapi/parser and ajv.

They are dev tools, installed by `npm ci` from a lock file into .cache of the checkout; without npm,
or where the registry cannot be reached, the tests say so and are skipped.
"""

import hashlib
import json
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from gatepost_services.contract.asyncapi import examples, sealed_example
from gatepost_services.contract.channels import CHANNELS
from gatepost_services.contract.documents import FOLDER, all_files, write
from gatepost_services.contract.schemas import SchemaError, check, schemas

pytestmark = pytest.mark.packaging
HERE = Path(__file__).parent / "npm"
CACHE = Path(__file__).parents[2] / ".cache"
INSTALL_S = 180.0
WARNING = 1  # as the parser counts: 0 error, 1 warning, 2 information
EVENT = "urn:gatepost:schema:message:event"


@pytest.fixture(scope="session")
def tools():
    """Return the folder in which the tools are installed."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("npm or node is not installed: the public tools did not look at the contract")
    lock = (HERE / "package-lock.json").read_bytes()
    name = f"contract-npm-{hashlib.sha256(lock).hexdigest()[:12]}"
    folder = CACHE / name
    if not folder.exists():
        CACHE.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as fresh:
            install(Path(fresh) / name)
            with suppress(OSError):  # another worker was faster
                (Path(fresh) / name).rename(folder)
    return folder


def install(folder):
    folder.mkdir()
    for each in ("package.json", "package-lock.json"):
        shutil.copy(HERE / each, folder)
    try:
        done = subprocess.run(
            [
                *("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"),
                *("--fetch-retries=1", "--fetch-timeout=30000"),
            ],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=INSTALL_S,
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm ci took over {INSTALL_S:.0f} s: the public tools did not look")
    if done.returncode:
        why = " ".join(done.stderr.split()[-30:])
        pytest.skip(f"npm ci failed, the public tools did not look: {why}")


def look(tools, *arguments, said=""):
    done = subprocess.run(
        ["node", str(HERE / "look.mjs"), *map(str, arguments)],
        cwd=tools,
        input=said,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_parser_of_asyncapi_finds_nothing_wrong_with_the_document(tools):
    seen = look(tools, "document", FOLDER / "asyncapi.json")
    assert [each for each in seen["problems"] if each["severity"] <= WARNING] == []
    assert seen["version"] == "3.0.0"
    assert len(seen["channels"]) == len(seen["operations"]) == len(CHANNELS)
    assert schemas().keys() <= set(seen["messages"])


def test_the_parser_would_find_an_example_that_is_none(tools, tmp_path):
    document = json.loads((FOLDER / "asyncapi.json").read_text(encoding="utf-8"))
    message = document["components"]["messages"]["passage.forced"]
    message["examples"][0]["payload"]["data"]["state"] = "asleep"
    message["payload"]["$ref"] = "#/components/schemas/Nobody"
    (tmp_path / "broken.json").write_text(json.dumps(document))
    seen = look(tools, "document", tmp_path / "broken.json")
    assert [each for each in seen["problems"] if each["severity"] <= WARNING]


def test_ajv_takes_every_golden_event_and_finds_what_the_code_finds(tools, tmp_path):
    write(tmp_path, all_files())
    cases, expected = [], []
    for type_, schema in schemas().items():
        event = json.loads(sealed_example(type_))
        cases.append((EVENT, event))
        expected.append(True)
        for data in spoilt(examples()[type_]):
            cases.append((schema.urn, data))
            expected.append(is_taken(type_, data))
    found = look(tools, "events", tmp_path / "schemas", said=json.dumps(cases))
    wrong = [
        (case, error)
        for case, error, good in zip(cases, found, expected, strict=True)
        if (error is None) is not good
    ]
    assert wrong == []
    assert expected.count(False) > len(expected) / 2  # most of what is spoilt is seen to be


def spoilt(data):
    """Yield the data, then with a member more, and with each member gone, null, or of no kind."""
    yield data
    yield {**data, "more": 1}
    for name in data:
        yield {key: value for key, value in data.items() if key != name}
        for other in (None, -1, "NO SUCH WORD", [], {}, True, 0.5):
            yield {**data, name: other}


def is_taken(type_, data):
    try:
        check(type_, data)
    except SchemaError:
        return False
    return True
