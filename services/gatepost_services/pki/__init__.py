"""A small certificate authority for one site, and how a gate comes to its certificate.

The authority is for tests and for sites that run none of their own. `authority` issues and revokes,
`tokens` keeps the one-time tokens, `est_server` and `est_client` speak EST (RFC 7030), and
`identity` is the folder in which a gate keeps what it was given.
"""
