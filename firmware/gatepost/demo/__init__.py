"""A whole gate on one computer: simulated lane, both processes, a broker, a subscriber."""

SIMULATED_ERROR_C = 0.3  # so far too high the simulated sensor reads, until it is calibrated
