"""Hashes of what is stored: without the libraries that tables need."""

import hashlib


def sha256(data: str | bytes) -> str:
    """SHA-256 in hexadecimal; text is hashed as UTF-8 (lone surrogates allowed)."""
    return hashlib.sha256(
        data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    ).hexdigest()
