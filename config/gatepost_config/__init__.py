"""Settings of one gate: what may be set, in which unit and range; the rest is refused."""
