"""The address of a service, as configs give it: it is recorded and shown, so it holds no secret."""

import re
from typing import Annotated

from pydantic import AfterValidator

from llmops.tasks.errors import ConfigError, Mistake

URL, KEY = "base_url", 'leave it out, and give what is secret as api_key: "${NAME}"'
SPLIT = re.compile(r"(?!\[)[^/?#@]*:(?!\d{0,5}([/?#]|$))[^@]*@")
"""A password that holds a slash, a question mark or a hash: what stands before it is no port."""


def _address(value: str) -> str:
    """Addresses are recorded and shown, so they hold no secrets. These are refused by ConfigError:
    pydantic would show what was got.
    """
    if not value.startswith(("http://", "https://")):
        raise ValueError("an address is wanted, such as https://api.openai.com/v1")
    parts = value.split("://", 1)[1]
    if "@" in re.split(r"[/?#]", parts)[0] or SPLIT.match(parts):
        raise ConfigError(
            [
                Mistake(
                    "base_url holds a user or a password, and addresses are recorded as they are",
                    where=URL,
                    hint=KEY,
                )
            ]
        )
    if "?" in parts or "#" in parts:
        raise ConfigError(
            [
                Mistake(
                    "base_url holds a query (?…) or a fragment (#…), and addresses are "
                    "recorded as they are; a path is "
                    "put behind them",
                    where=URL,
                    hint=KEY,
                )
            ]
        )
    return value


Address = Annotated[str, AfterValidator(_address)]
