"""Chats and services that apprise knows: Slack, Teams, Discord, ntfy and a hundred others."""

import re
from collections.abc import Mapping
from typing import ClassVar

from pydantic import SecretStr, field_validator

from llmops.tasks.errors import ConfigError, Mistake, Unavailable
from llmops.tasks.plugins.senders import Notice, Sender
from llmops.tasks.plugins.senders._silence import silence
from llmops.tasks.plugins.senders._wording import body, title

SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://\S+", re.IGNORECASE)
KINDS = {"critical": "failure", "warning": "warning", "info": "info"}


class AppriseSender(Sender):
    """One address of apprise's, such as `slack://…` or `msteams://…`, as
    https://github.com/caronc/apprise lists them. It holds tokens, so it is never shown.
    """

    requires: ClassVar[Mapping[str, str]] = {"apprise": "pip install apprise"}
    url: SecretStr
    """As Apprise writes addresses of services, from `${NAME}` of a variable."""

    @field_validator("url")
    @classmethod
    def _is_address(cls, value: SecretStr) -> SecretStr:
        if not SCHEME.fullmatch(value.get_secret_value()):
            raise ValueError("an address of apprise is wanted, such as slack://…")
        return value

    def send(self, notice: Notice) -> None:
        """Raises ConfigError for an address that apprise does not know, Unavailable where the
        service did not take it: apprise does not say whether it ever will.
        """
        import apprise

        kind = "success" if notice.kind == "resolved" else KINDS[notice.severity]
        with silence():
            service = apprise.Apprise.instantiate(self.url.get_secret_value())
            if service is None:
                hint = "compare it with https://github.com/caronc/apprise"
                told = f"apprise knows no such {self._scheme()}:// address"
                raise ConfigError([Mistake(told, hint=hint)])
            sent = service.notify(
                title=title(notice),
                body="\n".join(body(notice)),
                notify_type=apprise.NotifyType(kind),
            )
        if not sent:
            raise Unavailable(f"the service of {self._scheme()}:// did not take it")

    def _scheme(self) -> str:
        match = SCHEME.fullmatch(self.url.get_secret_value())
        return match[1] if match else "?"
