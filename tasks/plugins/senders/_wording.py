"""A notice in words, and as JSON for programs."""

import json
from datetime import UTC, datetime

from llmops.tasks.plugins.senders import Notice, NoticeKind

VERSION = 1
"""Of the JSON: raised when a key goes or changes its meaning, not when one is added."""
VERBS: dict[NoticeKind, str] = {
    "resolved": "resolved",
    "history": "quiet hours",
    "test": "test",
}


def title(notice: Notice) -> str:
    """One line: whose, how bad, what."""
    verb = VERBS.get(notice.kind, notice.severity)
    verb = {"reminder": f"still {verb}"}.get(notice.kind, verb)
    again = " again" if notice.kind == "fired" and notice.returns else ""
    what = notice.subject if notice.kind in VERBS and notice.kind != "resolved" else notice.key
    project = f"[{notice.project}] " if notice.project else ""
    return " ".join(f"{project}{verb}{again}: {what}".split())


def body(notice: Notice) -> list[str]:
    """Lines of plain text, the most important first."""
    hint = f"{notice.hint[:1].upper()}{notice.hint[1:]}" if notice.kind != "resolved" else ""
    since = f"Since {clock(notice.began_at)}"
    times = {"resolved": f"{since}, until {clock(notice.at)}.", "history": "", "test": ""}
    comes = "It comes and goes; it is told as over when it stays away." if notice.returns else ""
    return [
        *(each for each in (notice.message, hint, *notice.lines) if each),
        *(each for each in (times.get(notice.kind, f"{since}."), comes) if each),
        *(f"{name}: {link}" for name, link in notice.links.items()),
        *([f"Note: {notice.note}"] if notice.note else []),
    ]


def clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def payload(notice: Notice) -> bytes:
    """The JSON of a notice: `type`, `timestamp`, `version`, and in `data` what there is to know."""
    shown = {
        "type": f"llmops.alert.{notice.kind}",
        "timestamp": notice.at.isoformat(),
        "version": VERSION,
        "data": notice.model_dump(mode="json", exclude={"at"}),
    }
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
