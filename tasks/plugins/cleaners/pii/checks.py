"""Check digits and ranges: whether a string that looks like a number of some kind can be one."""

import ipaddress
import re

IBAN_LENGTHS = {
    "AD": 24,
    "AE": 23,
    "AL": 28,
    "AT": 20,
    "AZ": 28,
    "BA": 20,
    "BE": 16,
    "BG": 22,
    "BH": 22,
    "BI": 27,
    "BR": 29,
    "BY": 28,
    "CH": 21,
    "CR": 22,
    "CY": 28,
    "CZ": 24,
    "DE": 22,
    "DJ": 27,
    "DK": 18,
    "DO": 28,
    "EE": 20,
    "EG": 29,
    "ES": 24,
    "FI": 18,
    "FK": 18,
    "FO": 18,
    "FR": 27,
    "GB": 22,
    "GE": 22,
    "GI": 23,
    "GL": 18,
    "GR": 27,
    "GT": 28,
    "HR": 21,
    "HU": 28,
    "IE": 22,
    "IL": 23,
    "IQ": 23,
    "IS": 26,
    "IT": 27,
    "JO": 30,
    "KW": 30,
    "KZ": 20,
    "LB": 28,
    "LC": 32,
    "LI": 21,
    "LT": 20,
    "LU": 20,
    "LV": 21,
    "LY": 25,
    "MC": 27,
    "MD": 24,
    "ME": 22,
    "MK": 19,
    "MN": 20,
    "MR": 27,
    "MT": 31,
    "MU": 30,
    "NI": 28,
    "NL": 18,
    "NO": 15,
    "OM": 23,
    "PK": 24,
    "PL": 28,
    "PS": 29,
    "PT": 25,
    "QA": 29,
    "RO": 24,
    "RS": 22,
    "RU": 33,
    "SA": 24,
    "SC": 31,
    "SD": 18,
    "SE": 24,
    "SI": 19,
    "SK": 24,
    "SM": 27,
    "SO": 23,
    "ST": 25,
    "SV": 28,
    "TL": 23,
    "TN": 24,
    "TR": 26,
    "UA": 29,
    "VA": 22,
    "VG": 24,
    "XK": 20,
}
"""Lengths by country: SWIFT, IBAN Registry (ISO 13616)."""
CARD_LENGTHS = (
    (r"3[47]", (15,)),
    (r"3(?:0[0-5]|[689])", (14, 16, 17, 18, 19)),
    (r"35", (16,)),
    (r"(?:2131|1800)", (15,)),
    (r"4", (13, 16, 19)),
    (r"5[1-5]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)", (16,)),
    (r"6(?:011|4[4-9]|5|2)", (16, 17, 18, 19)),
    (r"50|5[6-9]|6[0-9]", tuple(range(12, 20))),
)
"""Leading digits and lengths of the card schemes (ISO/IEC 7812, as the schemes publish them). No
card of fifteen digits begins with 35; most IMEIs, which have the same check digit, do.
"""
PLACEHOLDER = re.compile(
    r"(?i)x{4}|\*{3}|example|changeme|placeholder|your|dummy|redacted|foobar|://"
    r"|^\{|^\$\(|^%\(|\{\{|\$\{"
)
FILLING = re.compile(r"(?i)password|passwd|secret|token|api|key|user|test|abc|def|the|my|[\W\d_]")
SIGN = re.compile(r"[^\W_][!#$~][^\W_]")
JOINT = re.compile(r"[\s\"'<>(){}\[\],;|&`]")
RULE = re.compile(r"[^\W\d]+(?:[,|][\w:.=-]+)+|[A-Za-z_][\w.]*[(\[].*[)\]]")
SHORTEST = 8
NO_PHONE = re.compile(
    r"[+-]?\d\.\d+|\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./]\d{2,4}(?!\d)"
)


def digits(text: str) -> str:
    """The digits alone."""
    return "".join(c for c in text if c.isascii() and c.isdigit())


def card(text: str) -> int:
    """How many characters of the text are a card's number; 0 where none begins here.

    A scheme issues such numbers, the check digit is right (Luhn, ISO/IEC 7812-1 annex B), groups
    have three digits or more.
    """
    groups = re.split(r"[ -]", text)
    for count in range(len(groups), 0, -1):
        number = "".join(groups[:count])
        if (
            all(len(group) > 2 for group in groups[: count - 1])
            and _issued(number)
            and luhn(number)
        ):
            return sum(map(len, groups[:count])) + count - 1
    return 0


def _issued(number: str) -> bool:
    return len(set(number)) > 1 and any(
        re.match(start, number) and len(number) in lengths for start, lengths in CARD_LENGTHS
    )


def luhn(number: str) -> bool:
    """Whether the last digit is the check digit of the others."""
    doubled = (int(c) * 2 for c in number[-2::-2])
    return (
        sum(map(int, number[::-2])) + sum(value - 9 if value > 9 else value for value in doubled)
    ) % 10 == 0


def iban(text: str) -> int:
    """How many characters of the text are an IBAN; 0 where none begins here (ISO 13616, check by
    ISO 7064 mod 97-10).
    """
    wanted = IBAN_LENGTHS.get(text[:2].upper(), 0)
    ends = [place + 1 for place, c in enumerate(text) if c.isalnum()]
    if not wanted or len(ends) < wanted:
        return 0
    number = "".join(c for c in text[: ends[wanted - 1]] if c.isalnum()).upper()
    if text[ends[wanted - 1] : ends[wanted - 1] + 1].isalnum():
        return 0
    return (
        ends[wanted - 1]
        if int("".join(str(int(c, 36)) for c in number[4:] + number[:4])) % 97 == 1
        else 0
    )


def ip(text: str) -> bool:
    """Whether this is an address of a machine: no loopback, mask, multicast, documentation or
    unspecified address, and no section number (1.2.3.4)."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if address.is_loopback or address.is_unspecified or address.is_multicast or address.is_reserved:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        return (
            address not in ipaddress.ip_network("2001:db8::/32") and len(text.replace(":", "")) >= 8
        )
    if all(len(part) == 1 for part in text.split(".")):
        return False  # a section or a version
    documentation = any(
        address in ipaddress.ip_network(one)
        for one in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")
    )
    return not documentation and not text.endswith(".0") and not text.startswith("0.")


def ssn(text: str) -> bool:
    """Whether the number can have been issued (US Social Security Administration: no 000, 666 or
    9xx, no group of zeros).
    """
    number = digits(text)
    return (
        len(number) == 9
        and number[:3] not in ("000", "666")
        and number[0] != "9"
        and number[3:5] != "00"
        and number[5:] != "0000"
        and number not in ("123456789", "078051120", "219099999")
    )


def phone(text: str) -> bool:
    """Whether it has as many digits as a number of ITU-T E.164 (7 to 15), more than two different
    ones, and is no date or fraction.
    """
    number = digits(text)
    return (
        7 <= len(number) <= 15
        and len(set(number)) > 2
        and not NO_PHONE.fullmatch(text.strip())
        and number not in "01234567890123456789"
    )


def secret(text: str) -> bool:
    """Whether a value looks made up to be secret: letters with a digit, or with a sign within, six
    different characters, and more than the words of a placeholder (`my-secret-key-1`). It is enough
    if what stands before the first bracket, comma or the like does; rules (`required|min:8`) and
    calls (`VARCHAR(255)`) do not.
    """
    head = JOINT.split(text, 1)[0]
    if len(head) >= SHORTEST and _made_up(head):
        return True
    return len(text) >= SHORTEST and not RULE.fullmatch(text) and _made_up(text)


def _made_up(text: str) -> bool:
    mixed = any(c.isalpha() for c in text) and (any(c.isdigit() for c in text) or SIGN.search(text))
    return (
        bool(mixed)
        and len(set(text)) >= 6
        and not PLACEHOLDER.search(text)
        and len(FILLING.sub("", text)) > 2
    )
