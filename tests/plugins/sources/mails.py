"""Mails for tests, and the boxes they lie in."""

from email.message import EmailMessage
from pathlib import Path


def mail(
    id: str,
    subject: str = "Hello",
    body: str = "Text.",
    *,
    answers: str = "",
    date: int = 1,
    html: str = "",
    files: dict[str, bytes] | None = None,
    **fields: str,
) -> bytes:
    """A mail of the given day of January 2024; `answers`: the ids of References, the last one is
    In-Reply-To.
    """
    made = EmailMessage()
    made["From"], made["To"] = (
        fields.pop("sender", "Ann Müller <ann@example.org>"),
        "Bob <bob@example.org>",
    )
    made["Date"] = f"{date:02} Jan 2024 10:00:00 +0100"
    made["Subject"] = subject
    if id:
        made["Message-ID"] = f"<{id}>"
    if answers:
        made["References"] = " ".join(f"<{one}>" for one in answers.split())
        made["In-Reply-To"] = f"<{answers.split()[-1]}>"
    if body:
        made.set_content(body)
    if html:
        (made.add_alternative if body else made.set_content)(html, subtype="html")
    for name, data in (files or {}).items():
        made.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    for name, value in fields.items():
        made[name.replace("_", "-")] = value
    return made.as_bytes()


def mbox(file: Path, *mails: bytes) -> Path:
    """An mbox of mails; lines that begin with From are escaped."""
    escaped = [
        b"\n".join(
            b">" + line if line.lstrip(b">").startswith(b"From ") else line
            for line in one.split(b"\n")
        )
        for one in mails
    ]
    file.write_bytes(
        b"".join(
            b"From ann@example.org Mon Jan  1 10:00:00 2024\n" + one.rstrip(b"\n") + b"\n\n"
            for one in escaped
        )
    )
    return file


def maildir(folder: Path, **mails: bytes) -> Path:
    """A maildir; the names of the mails are those of their files in cur/, with __ for :2, and flags
    after it.
    """
    for part in ("cur", "new", "tmp"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for name, data in mails.items():
        (folder / "cur" / name.replace("__", ":2,")).write_bytes(data)
    return folder
