"""Mail, over SMTP."""

import html
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime, localtime
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from llmops.tasks.errors import ConfigError, Mistake, Unavailable
from llmops.tasks.plugins.senders import Notice, Sender
from llmops.tasks.plugins.senders._wording import body, title

PORTS = {"starttls": 587, "ssl": 465, "none": 25}
LOOPBACK = ("localhost", "127.0.0.1", "::1")
COLOURS = {"critical": "#b3261e", "warning": "#8a5a00", "info": "#1b5e9b", "resolved": "#1e6b34"}


class EmailSender(Sender):
    """Sends from `from` to all of `to`, by the server `host`. `security`: starttls (port 587), ssl
    (465) or none (25), with which there is no password but on this machine. Mails of one alert
    answer the first of them, so that they stand together.
    """

    host: str = Field(min_length=1)
    port: int | None = Field(default=None, ge=1, le=65_535)
    """Of the server; by default that of its `security`."""
    security: Literal["starttls", "ssl", "none"] = "starttls"
    user: str | None = None
    """For servers that want a login."""
    password: SecretStr | None = None
    """As `${NAME}` of a variable."""
    from_: str = Field(alias="from")
    """The sender's address."""
    to: tuple[str, ...] = Field(min_length=1)
    timeout: float = Field(default=15.0, gt=0, le=30)
    """Seconds of one step."""

    @field_validator("from_", "to")
    @classmethod
    def _are_addresses(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for each in (value,) if isinstance(value, str) else value:
            name, at, host = each.rpartition("@")
            if not (name and at and host) or any(sign in each for sign in " \r\n<>,;"):
                raise ValueError(f"{each!r} is no address; write it as name@example.com")
        return value

    @model_validator(mode="after")
    def _is_secret(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password go together")
        if self.password and self.security == "none" and self.host not in LOOPBACK:
            raise ValueError("the password would travel in the open: security is none")
        return self

    def send(self, notice: Notice) -> None:
        """Raises ConfigError for what the server refuses for good (5xx), else Unavailable."""
        mail = self.mail(notice)
        place = f"{self.host}:{self.port or PORTS[self.security]}"
        try:
            with self._server() as server:
                if self.security == "starttls":
                    server.starttls(context=ssl.create_default_context())
                if self.user is not None and self.password is not None:
                    server.login(self.user, self.password.get_secret_value())
                server.send_message(mail, self.from_, list(self.to))
        except smtplib.SMTPNotSupportedError as error:
            raise _never(f"{place}: {error}", "check `security`, `user` and `password`") from None
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            told = f"{place} refused all of `to`: {', '.join(str(code) for code in codes)}"
            raise _refusal(told, min(codes, default=0)) from None
        except smtplib.SMTPResponseException as error:
            said = error.smtp_error
            words = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
            told = f"{place} answered {error.smtp_code}: {words}"
            raise _refusal(told, error.smtp_code) from None
        except (OSError, smtplib.SMTPException) as error:
            told = f"{place} cannot be used: {type(error).__name__}: {error}"
            raise Unavailable(told) from None

    def _server(self) -> smtplib.SMTP:
        port = self.port or PORTS[self.security]
        if self.security == "ssl":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(self.host, port, timeout=self.timeout, context=context)
        return smtplib.SMTP(self.host, port, timeout=self.timeout)

    def mail(self, notice: Notice) -> EmailMessage:
        """Plain text, and the same as HTML."""
        mail = EmailMessage()
        mail["Subject"], mail["From"], mail["To"] = title(notice), self.from_, ", ".join(self.to)
        mail["Date"] = format_datetime(localtime())
        mail["Message-ID"] = self._id(notice.id)
        if notice.thread and notice.thread != notice.id:
            mail["In-Reply-To"] = mail["References"] = self._id(notice.thread)
        mail["Auto-Submitted"] = "auto-generated"
        lines = body(notice)
        mail.set_content("\n".join(_text(each) for each in lines) + "\n")
        mail.add_alternative(_page(notice, lines), subtype="html")
        return mail

    def _id(self, notice_id: str) -> str:
        return f"<{notice_id}@llmops.{self.from_.rpartition('@')[2]}>"


def _text(line: str) -> str:
    """Lone surrogates fit into no mail."""
    return line.encode("utf-8", "replace").decode()


def _page(notice: Notice, lines: list[str]) -> str:
    colour = COLOURS["resolved" if notice.kind == "resolved" else notice.severity]
    shown = "".join(f"<p>{_linked(_text(line))}</p>" for line in lines)
    head = html.escape(_text(title(notice)))
    return (
        f'<div style="font-family: sans-serif; border-left: 4px solid {colour}; '
        f'padding-left: 12px"><h2 style="color: {colour}; font-size: 18px">{head}</h2>'
        f"{shown}</div>"
    )


def _linked(line: str) -> str:
    name, sign, link = line.partition(": ")
    if sign and link.startswith(("http://", "https://")) and " " not in link:
        return f'<a href="{html.escape(link)}">{html.escape(name)}</a>'
    return html.escape(line)


def _refusal(told: str, code: int) -> Exception:
    return _never(told, "check the sender's options") if code >= 500 else Unavailable(told)


def _never(told: str, hint: str) -> ConfigError:
    return ConfigError([Mistake(told, hint=hint)])
