"""A whole gate on one computer: simulated lane, both processes, a broker, a subscriber."""
