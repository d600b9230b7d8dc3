"""JSON to an address, signed as Standard Webhooks has it:
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hmac
import time
from collections.abc import Mapping
from hashlib import sha256

import httpx
from pydantic import Field, SecretStr, field_validator

from llmops.tasks.endpoints.trouble import AGAIN, retry_after
from llmops.tasks.errors import ConfigError, Mistake, Unavailable
from llmops.tasks.plugins.senders import Later, Notice, Sender
from llmops.tasks.plugins.senders._silence import silence
from llmops.tasks.plugins.senders._wording import payload

PREFIX = "whsec_"
SHORTEST, LONGEST = 24, 64
HINTS = {
    401: "check the address and its headers: the receiver wants to know who asks",
    404: "check the address: nothing is there",
    410: "the receiver wants no more of it: take the sender out of the config",
}


class WebhookSender(Sender):
    """POSTs the JSON of a notice to `url`, which may be secret. `secret`: 24 to 64 random bytes in
    base64, after `whsec_`; the receiver checks the signature with it. `former_secret`: signs as
    well, while receivers change over. `headers`: sent along, such as Authorization. `timeout`:
    seconds to connect, and between two parts of the answer.
    """

    url: SecretStr
    secret: SecretStr | None = None
    former_secret: SecretStr | None = None
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    timeout: float = Field(default=10.0, gt=0, le=30)

    @field_validator("url")
    @classmethod
    def _is_address(cls, value: SecretStr) -> SecretStr:
        try:
            url = httpx.URL(value.get_secret_value())
        except httpx.InvalidURL:
            url = httpx.URL("")
        if url.scheme not in ("http", "https") or not url.host:
            raise ValueError("an address is wanted, such as https://example.com/hooks/alerts")
        return value

    @field_validator("secret", "former_secret")
    @classmethod
    def _is_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not SHORTEST <= len(key_of(value)) <= LONGEST:
            raise ValueError(
                f"{SHORTEST} to {LONGEST} bytes in base64 are wanted, after {PREFIX}, as "
                f'`echo "{PREFIX}$(openssl rand -base64 32)"` makes them'
            )
        return value

    def send(self, notice: Notice) -> None:
        """Raises Later where the receiver names a time, Unavailable for no answer, 408, 409, 425,
        429 and 5xx, ConfigError for any other answer than 2xx.
        """
        content = payload(notice)
        headers = {
            "content-type": "application/json",
            **{name: value.get_secret_value() for name, value in self.headers.items()},
            **self._signed(notice.id, str(int(time.time())), content),
        }
        url, place = self.url.get_secret_value(), self._place()
        try:
            with (
                silence(),
                httpx.Client(timeout=self.timeout, follow_redirects=False) as client,
                client.stream("POST", url, content=content, headers=headers) as answer,
            ):
                status, said = answer.status_code, answer.headers
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise Unavailable(f"{place} does not answer: {type(error).__name__}") from None
        _judge(place, status, said)

    def _signed(self, notice_id: str, timestamp: str, content: bytes) -> dict[str, str]:
        """The three headers; the signature is left out where there is no secret."""
        signatures = " ".join(
            signature(secret, notice_id, timestamp, content)
            for secret in (self.secret, self.former_secret)
            if secret is not None
        )
        return {
            "webhook-id": notice_id,
            "webhook-timestamp": timestamp,
            **({"webhook-signature": signatures} if signatures else {}),
        }

    def _place(self) -> str:
        """What may be shown of the address."""
        url = httpx.URL(self.url.get_secret_value())
        return f"{url.scheme}://{url.host}{f':{url.port}' if url.port else ''}"


def signature(secret: SecretStr, notice_id: str, timestamp: str, content: bytes) -> str:
    """HMAC-SHA256 of `id.timestamp.body`."""
    signed = f"{notice_id}.{timestamp}.".encode() + content
    made = hmac.new(key_of(secret), signed, sha256).digest()
    return f"v1,{base64.b64encode(made).decode()}"


def key_of(secret: SecretStr) -> bytes:
    """The bytes of a secret; none where it is not written as it should be."""
    text = secret.get_secret_value()
    try:
        return base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _judge(place: str, status: int, headers: Mapping[str, str]) -> None:
    if 200 <= status < 300:
        return
    told = f"{place} answered {status}"
    if status in AGAIN or status >= 500:
        asked = retry_after(headers.get("retry-after", ""))
        raise Later(told, after=asked) if asked is not None else Unavailable(told)
    if status < 400:
        hint = "redirects are not followed: write the address that it leads to"
    else:
        hint = HINTS.get(status, "check the address, its headers and the secret")
    raise ConfigError([Mistake(told, hint=hint)])
