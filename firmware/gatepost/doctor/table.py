"""Which checks there are, in the order in which they are run. A new one is a line here."""

from gatepost.doctor import (
    broker,
    certificates,
    kernel,
    lines,
    moving,
    roster,
    sensor,
    services,
    store,
    topics,
)
from gatepost.doctor.model import SETTINGS, Check

CHECKS = (
    Check(SETTINGS, services.config, without_settings=True),
    # -------------------------------------------------------------------- the machine
    Check("supply.voltage", kernel.supply, without_settings=True),
    Check("system.users", kernel.users, without_settings=True),
    Check("clock.year", services.clock_year, without_settings=True),
    Check("clock.source", services.clock_source, ("clock.year",), without_settings=True),
    Check("clock.behind", services.clock_behind, ("clock.year",)),
    Check("clock.zone", services.clock_zone),
    # ----------------------------------------------------------------- the two processes
    Check("unit.gate", services.gate_unit, without_settings=True),
    Check("unit.link", services.link_unit, without_settings=True),
    Check("unit.hardening", services.hardening, without_settings=True),
    Check("gate.faults", services.gate_faults),
    # ------------------------------------------------------------------------- the lines
    Check("gpio.chip", kernel.gpio_chip, without_settings=True),
    Check("gpio.strict", kernel.gpio_strict, without_settings=True),
    Check("gpio.lines", lines.free, ("gpio.chip",)),
    Check("relay.polarity", lines.polarity, ("gpio.lines",)),
    Check("output.rest", lines.outputs, ("gpio.lines",)),
    Check("input.rest", lines.inputs, ("gpio.lines",)),
    # ------------------------------------------------------------------------ the sensor
    Check("i2c.overlay", kernel.i2c_overlay),
    Check("i2c.device", kernel.i2c_device),
    Check("i2c.speed", kernel.i2c_speed, ("i2c.device",)),
    Check("i2c.bus", sensor.bus, ("i2c.device",)),
    Check("sensor.answers", sensor.answers, ("i2c.bus",)),
    Check("sensor.pec", sensor.pec, ("sensor.answers",)),
    Check("sensor.part", sensor.part, ("sensor.pec",)),
    Check("sensor.noise", sensor.noise, ("sensor.pec",)),
    Check("sensor.ambient", sensor.ambient, ("sensor.pec",)),
    Check("sensor.emissivity", sensor.emissivity, ("sensor.pec",)),
    Check("sensor.calibration", sensor.calibration, ("sensor.pec",)),
    # ----------------------------------------------------------------------- the readers
    Check("reader.entry", services.entry_reader),
    Check("reader.exit", services.exit_reader),
    # ----------------------------------------------------------------------- what lasts
    Check("disk.space", store.space),
    Check("disk.write", store.folder, ("disk.space",)),
    Check("disk.wear", store.wear, without_settings=True),
    Check("journal.whole", store.journal),
    Check("journal.room", store.room, ("journal.whole",)),
    Check("secret.mode", store.secrets),
    Check("roster.whole", roster.whole, ("secret.mode",)),
    Check("roster.key", roster.key),
    # -------------------------------------------------------------------------- the link
    Check("tls.files", certificates.present),
    Check("tls.pair", certificates.pair, ("tls.files", "secret.mode")),
    Check("tls.chain", certificates.chain, ("tls.pair",)),
    Check("tls.dates", certificates.dates, ("tls.pair", "clock.source")),
    Check("broker.name", broker.name),
    Check("broker.port", broker.port, ("broker.name",)),
    Check("broker.tls", broker.tls, ("broker.port", "tls.chain")),
    Check("broker.identity", broker.identity, ("broker.tls",)),
    Check("broker.topics", topics.topics, ("broker.identity",)),
    # ---------------------------------------------------------------------- what moves
    Check("relay.resistor", lines.pulldown, ("relay.polarity",), moves=True),
    Check("relay.entry", moving.entry_relay, ("gpio.lines",), moves=True),
    Check("relay.exit", moving.exit_relay, ("gpio.lines",), moves=True),
    Check("passage.signal", moving.passage, ("relay.entry",), moves=True),
)
