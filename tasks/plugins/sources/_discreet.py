"""Messages of libraries and programs without the secrets that they may repeat."""

import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

USER_IN_URL = re.compile(r"(?<=://)[^/@\s]+(?=@)")
LONGEST = 600


def discreet(message: object, secrets: Iterable[str] = ()) -> str:
    """A message on one line, cut to a readable length, with every secret and every user part of a
    URL replaced by ***.
    """
    text = " ".join(str(message).split())
    for secret in sorted(
        {form for one in secrets if one for form in (one, quote(one, safe=""), quote_plus(one))},
        key=len,
        reverse=True,
    ):
        text = text.replace(secret, "***")
    text = USER_IN_URL.sub("***", text)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
