"""What calendars and cards say (iCalendar, vCard): lines that were folded whole again, and what
people read of a date.
"""

import re
from collections.abc import Iterator
from typing import Final

FOLDED = re.compile(rb"\r?\n[ \t]")
LINE = re.compile(r"([A-Za-z][A-Za-z0-9-]*)((?:;[^:\";]*(?:\"[^\"]*\"[^:\";]*)*)*):(.*)")
ESCAPED = re.compile(r"\\([nN,;\\])")
DATED: Final = frozenset({"VEVENT", "VTODO", "VJOURNAL"})
"""What a calendar tells people of; the rest are time zones and alarms."""
READ: Final = {
    "SUMMARY": "Summary",
    "DTSTART": "Start",
    "DTEND": "End",
    "DUE": "Due",
    "LOCATION": "Location",
    "ORGANIZER": "Organizer",
    "ATTENDEE": "Attendee",
    "STATUS": "Status",
    "DESCRIPTION": "Description",
}
MOMENT = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?\Z")


def is_folded(data: bytes) -> bool:
    """Whether it is a calendar or a card, whose lines may be folded within words."""
    return (
        data[:64]
        .lstrip(b"\xef\xbb\xbf \t\r\n")
        .upper()
        .startswith((b"BEGIN:VCALENDAR", b"BEGIN:VCARD"))
    )


def unfolded(data: bytes) -> bytes:
    """The same lines, whole. Some programs fold within a letter of UTF-8: so it is done before
    decoding.
    """
    return FOLDED.sub(b"", data)


def dates(text: str) -> str:
    """What people read of a calendar whose lines are whole, a block for each date; "" where it has
    none.
    """
    return "\n\n".join("\n".join(block) for block in _blocks(text) if block)


def _blocks(text: str) -> Iterator[list[str]]:
    within: list[str] = []
    block: list[str] = []
    for line in text.split("\n"):
        match = LINE.match(line.rstrip())
        name, value = (match[1].upper(), match[3]) if match else ("", "")
        if name == "BEGIN":
            within.append(value.upper())
        elif name == "END" and within:
            if within.pop() in DATED:
                yield block
                block = []
        elif match and within and within[-1] in DATED and name in READ and value.strip():
            block.append(f"{READ[name]}: {_said(name, match[2], value)}")
    yield block


def _said(name: str, parameters: str, value: str) -> str:
    if name in ("ORGANIZER", "ATTENDEE"):
        who = re.search(r";CN=(?:\"([^\"]*)\"|([^;]*))", parameters, re.IGNORECASE)
        address = re.sub(r"(?i)^mailto:", "", value.strip())
        called = (who[1] or who[2] or "") if who else ""
        return f"{called} <{address}>" if called and called != address else address
    moment = MOMENT.match(value.strip())
    if not moment:
        return ESCAPED.sub(lambda mark: "\n" if mark[1] in "nN" else mark[1], value).strip()
    year, month, day, hour, minute, _, utc = moment.groups()
    zone = re.search(r";TZID=\"?([^;\"]*)", parameters, re.IGNORECASE)
    where = " UTC" if utc else f" {zone[1]}" if zone else ""
    return f"{year}-{month}-{day}" + (f" {hour}:{minute}{where}" if hour else "")
