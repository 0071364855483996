"""Hardware of a lane: ports, drivers, and the same lane simulated at the level of bytes."""
