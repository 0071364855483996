"""Documents of a gate that the central server sets: regime, roster, trust list.

The server says by a signed letter which document a gate is to have (`documents`), the link brings
its content, a chunk at a time (`transfer`), and the gate verifies and applies it (`content`;
`taking`, in a process of its own, for the roster).
"""
