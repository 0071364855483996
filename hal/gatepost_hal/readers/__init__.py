"""Pass readers: each turns the bytes of one kind of device into `PassRead` events."""
