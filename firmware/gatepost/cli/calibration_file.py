"""The file of a calibration: the one before, and its writing."""

from pathlib import Path

from gatepost.cli.bench_sensor import tell
from gatepost.cli.main import fail
from gatepost.cli.words import say
from gatepost_config.calibration import CalibrationRecord, as_toml, load_calibration
from gatepost_config.load import ConfigError
from gatepost_services.state_file import StateFileError, read_state, write_state


def former(path: Path) -> str:
    """Return in words what calibration there was."""
    try:
        if read_state(path) is None:
            return say("no calibration on this gate.")
        record = load_calibration(path)
    except (StateFileError, ConfigError) as error:
        return say("there is a file that does not count: {why}", why=error)
    if record.sensor_id != path.stem:
        why = say("{path}: of sensor {id}.", path=path, id=record.sensor_id)
        return say("there is a file that does not count: {why}", why=why)
    return say(
        "calibrated on {on} by {by} with {reference}; due {due}.",
        on=record.on,
        by=record.by,
        reference=record.reference,
        due=record.due,
    )


def write(record: CalibrationRecord, path: Path) -> None:
    """Write a calibration; the former file stays beside it as *.previous."""
    previous = path.with_name(f"{path.name}.previous")
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
            # Whatever the umask: the gate, another user, reads it.
            path.parent.chmod(0o755)
            tell(say("Made the folder {path}", path=path.parent))
        old = read_state(path)
        if old is not None:
            write_state(previous, old)
            previous.chmod(0o644)
            tell(say("Former file: {path}", path=previous))
        write_state(path, as_toml(record).encode())
        path.chmod(0o644)
    except OSError as error:
        told = say(
            "{why}. What was there before still counts. Begin the command with sudo, or make room "
            "on the disk.",
            why=error,
        )
        fail(told)
    tell(say("Written: {path}", path=path))
