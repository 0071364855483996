"""A reference centre: subscribes to the gates and proves that it has everything."""
