"""People who walk up to a simulated lane, with forehead and room temperatures of real people."""
