"""Secrets that stand in a config file leave it as soon as it is read: what is recorded, shown or
sent on holds their names alone.
"""

import os
from collections.abc import Mapping
from typing import Any

from llmops.tasks.plugins import SECRET, digest

KEYS = frozenset({"api_key", "bearer_token", "client_secret", "password", "token", "secret"})


def hidden(content: Any) -> Any:
    """The same config with every secret that is written out replaced by `${LLMOPS_SECRET_…}`, which
    this process knows from now on.
    """
    if isinstance(content, Mapping):
        return {
            key: _named(value) if key in KEYS and isinstance(value, str) else hidden(value)
            for key, value in content.items()
        }
    return [hidden(item) for item in content] if isinstance(content, list) else content


def _named(value: str) -> str:
    if not value or SECRET.search(value):
        return value
    name = f"LLMOPS_SECRET_{digest(value)[:8].upper()}"
    os.environ[name] = value
    return f"${{{name}}}"
