"""The built wheel, in a clean environment away from the checkout, runs the tests.

Once for each supported Python on this machine; the one that runs the checkout's tests runs only
some of them again. The tests are copied without this folder; nothing of the checkout is on the
path.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.packaging
ROOT = Path(__file__).parents[2]
OURS = {"gatepost", "gatepost_hal", "gatepost_services", "gatepost_config"}
VERSIONS = ("3.11", "3.12", "3.13")
TEST_TOOLS = (
    "pytest>=8.3",
    "hypothesis>=6.100",
    "jinja2>=3.1",
    "jsonschema>=4.23",
    "pyjwt>=2.10",
    "segno>=1.6",
)
# What a wheel can lack or break. The newest other Python runs all but the walk through the table,
# which is long and the same on each; this one runs all of it without the wheel.
MOST = ("--deselect", "tests/core/test_safety.py")
SOME = (
    "tests/config",
    "tests/contract",
    "tests/hal",
    "tests/services/test_hcert.py",
    "tests/services/test_signed_pass.py",
    "tests/scenario/test_demo.py",
)


def interpreter(version):
    """Return a Python of this version that runs and can make environments, or None."""
    installed = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
    found = shutil.which(f"python{version}")
    for candidate in (found, *installed):
        if candidate is not None:
            works = subprocess.run(
                [candidate, "-c", "import ensurepip, sqlite3, ssl"],
                capture_output=True,
                check=False,
            )
            if works.returncode == 0:
                return str(candidate)
    return None


def run(*command, cwd, **environment):
    result = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{command}\n{result.stdout[-4000:]}\n{result.stderr[-4000:]}"
    return result.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    # By way of the source distribution, so that a file missing there is missed here.
    run(sys.executable, "-m", "build", "--outdir", str(folder), cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_four_packages_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == OURS
    for package in tops:
        assert f"{package}/py.typed" in names
    people = "gatepost_hal/simulated/people"
    assert {f"{people}/readings.csv", f"{people}/PROVENANCE.md"} <= set(names)
    regimes = {path.name for path in (ROOT / "config/regimes").glob("*.toml")}
    assert {f"gatepost_config/regimes/{name}" for name in regimes} <= set(names)
    assert "gatepost_config/catalogue.toml" in names
    licences = [name for name in names if "/licenses/" in name]
    assert any(name.endswith("LICENSE") for name in licences)
    assert any(name.endswith("LICENSE-CC0.txt") for name in licences)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_installed_wheel_runs_the_tests(wheel, tmp_path, version):
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} with venv on this machine")
    away = tmp_path / "away"
    shutil.copytree(
        ROOT / "tests", away / "tests", ignore=shutil.ignore_patterns("packaging", "__pycache__")
    )
    shutil.copy(ROOT / "pyproject.toml", away)
    (away / "config").mkdir()
    shutil.copy(ROOT / "config" / "gatepost.example.toml", away / "config")
    run(python, "-m", "venv", str(tmp_path / "venv"), cwd=tmp_path)
    bin_folder = tmp_path / "venv" / "bin"
    own_python = str(bin_folder / "python")
    pip = (own_python, "-m", "pip", "--quiet", "install")
    run(*pip, f"{wheel}[demo]", *TEST_TOOLS, cwd=tmp_path)

    owners = "import importlib.metadata as m; print(sorted(m.packages_distributions().items()))"
    told = run(own_python, "-Ic", owners, cwd=away)
    for name in OURS:
        assert f"('{name}', ['gatepost'])" in told  # nobody else's package writes into ours
    where = run(own_python, "-Ic", "import gatepost_hal; print(gatepost_hal.__file__)", cwd=away)
    assert where.startswith(str(tmp_path / "venv"))
    assert run(str(bin_folder / "gatepost"), "--version", cwd=away).startswith("gatepost ")
    told = run(str(bin_folder / "gatepost"), "regime", "check", "normal", cwd=away)
    assert told.startswith("ok: normal: ")
    away_from_it = ("-m", "not packaging")  # the few that compare with files of the checkout
    this = f"{sys.version_info.major}.{sys.version_info.minor}"
    newest = max((other for other in VERSIONS if other != this), key=VERSIONS.index)
    chosen = MOST if version == newest else SOME
    command = (own_python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *away_from_it, *chosen)
    told = run(*command, cwd=away)
    assert " passed" in told.splitlines()[-1]
