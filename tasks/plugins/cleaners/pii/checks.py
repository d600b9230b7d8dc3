"""Check digits and ranges: whether a string that looks like a number of some kind can be one."""

import ipaddress
import re

SHORTEST_IBAN, LONGEST_IBAN, SPACED_IBAN = 15, 34, 70
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
    """How many characters of the text are an IBAN; 0 where none begins here (ISO 13616): of a
    country's length and form, with the check by ISO 7064 mod 97-10.
    """
    from stdnum import iban as registry
    from stdnum.iso7064 import mod_97_10

    ends = [place + 1 for place, c in enumerate(text[:SPACED_IBAN]) if c.isalnum()]
    number = "".join(c for c in text[:SPACED_IBAN] if c.isalnum()).upper()
    for length in range(min(LONGEST_IBAN, len(ends)), SHORTEST_IBAN - 1, -1):
        end, said = ends[length - 1], number[:length]
        if (
            not text[end : end + 1].isalnum()
            and mod_97_10.is_valid(said[4:] + said[:4])  # before the registry, which is slow
            and registry.is_valid(said, check_country=False)
        ):
            return end
    return 0


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
