"""Codes that verify without a network: signed passes (GP1:) and health certificates (HC1:).

    text -> wrapping (base45, zlib) -> cose (who signed it) -> cbor claims -> pass or certificate

Everything that a stranger can hold under the scanner comes through here. Each step takes bytes,
bounds their size and depth before it looks inside, and knows one failure: `CredentialError`.
"""
