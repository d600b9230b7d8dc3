"""Numbers that states give to persons: their forms, and python-stdnum's checks of them."""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

DATE6, DATE8 = r"\d{2}[01]\d[0-3]\d", r"[12]\d{3}[01]\d[0-3]\d"
ANY_WORD = (
    r"(?:national|personal|identity|citizen|tax)[ -]?(?:identification[ -])?(?:id|no|number|code)",
    r"id(?:entity)?[ -]?(?:card|number|no)",
)


class NationalId(NamedTuple):
    """`form`: how it is written; `module`: python-stdnum's check, "" where the form is all there
    is; `words`: names of the number, one of which must stand before it, where the form and the
    check let more than one in a hundred other numbers pass."""

    country: str
    module: str
    form: str
    words: tuple[str, ...] = ()


KINDS = (
    NationalId("AR", "ar.cuit", r"(?:20|2[3-7]|3[034])-\d{8}-\d"),
    NationalId(
        "AT", "at.vnr", r"\d{4} ?[0-3]\d[01]\d\d{2}", ("svnr", "sv-nummer", "versicherungsnummer")
    ),
    NationalId("AU", "au.tfn", r"\d{3} ?\d{3} ?\d{2,3}", ("tfn", "tax file (?:number|no)")),
    NationalId("BE", "be.nn", r"\d{2}\.?[0-5]\d\.?[0-3]\d[-. ]?\d{3}[-. ]?\d{2}"),
    NationalId("BG", "bg.egn", r"\d{10}", ("егн", "egn")),
    NationalId("BR", "br.cpf", r"\d{3}\.\d{3}\.\d{3}-\d{2}"),
    NationalId("BR", "br.cpf", r"\d{11}", ("cpf",)),
    NationalId(
        "CA", "ca.sin", r"\d{3}[ -]?\d{3}[ -]?\d{3}", ("sin", "social insurance number", "nas")
    ),
    NationalId("CH", "ch.ssn", r"756\.?\d{4}\.?\d{4}\.?\d{2}"),
    NationalId("CL", "cl.rut", r"\d{1,2}\.\d{3}\.\d{3}-[\dkK]"),
    NationalId("CN", "cn.ric", rf"[1-8]\d{{5}}{DATE8}\d{{3}}[\dXx]"),
    NationalId("CZ", "cz.rc", r"\d{2}[0-8]\d[0-3]\d/\d{3,4}"),
    NationalId(
        "DE",
        "de.idnr",
        r"\d{2} ?\d{3} ?\d{3} ?\d{3}",
        ("steuer-?id\\w*", "idnr", "identifikationsnummer", "tin"),
    ),
    NationalId("DK", "dk.cpr", r"[0-3]\d[01]\d\d{2}-?\d{4}", ("cpr", "personnummer")),
    NationalId("EE", "ee.ik", r"[1-8]\d{2}[01]\d[0-3]\d\d{4}", ("isikukood",)),
    NationalId("ES", "es.dni", r"\d{8}-?[A-HJ-NP-TV-Z]"),
    NationalId("ES", "es.nie", r"[XYZ]-?\d{7}-?[A-HJ-NP-TV-Z]"),
    NationalId("FI", "fi.hetu", r"[0-3]\d[01]\d\d{2}[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y]"),
    NationalId("FR", "fr.nir", r"[12] ?\d{2} ?[0-9]\d ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}"),
    NationalId("GB", "", r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z](?: \d{2} \d{2} \d{2} |\d{6})[A-D]"),
    NationalId("GB", "gb.nhs", r"\d{3}[ -]?\d{3}[ -]?\d{4}", ("nhs",)),
    NationalId("GR", "gr.amka", r"[0-3]\d[01]\d\d{7}", ("αμκα", "amka")),
    NationalId("HR", "hr.oib", r"\d{11}", ("oib",)),
    NationalId("ID", "id.nik", r"\d{16}", ("nik", "ktp")),
    NationalId("IE", "ie.pps", r"\d{7}[A-W][A-IW]?", ("ppsn?",)),
    NationalId("IL", "il.idnr", r"\d{9}", ("תעודת זהות", "ת\\.ז\\.?", "teudat zehut")),
    NationalId("IN", "in.aadhaar", r"[2-9]\d{3} ?\d{4} ?\d{4}", ("aadh?aar", "आधार")),
    NationalId("IN", "in.pan", r"[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]"),
    NationalId("IS", "is.kennitala", r"[0-7]\d[01]\d\d{2}-\d{4}", ("kennitala", "kt")),
    NationalId(
        "IT",
        "it.codicefiscale",
        r"[A-Za-z]{6}[\dL-Vl-v]{2}[A-Ea-eHhLlMmPpR-Tr-t][\dL-Vl-v]{2}[A-Za-z][\dL-Vl-v]{3}[A-Za-z]",
    ),
    NationalId("KR", "kr.rrn", rf"{DATE6}-[1-8]\d{{6}}"),
    NationalId("LT", "lt.asmens", r"[1-6]\d{2}[01]\d[0-3]\d\d{4}", ("asmens kodas",)),
    NationalId("LV", "lv.pvn", r"[0-3]\d[01]\d\d{2}-\d{5}"),
    NationalId("MX", "mx.curp", r"[A-Z][AEIOUX][A-Z]{2}\d{6}[HMX][A-Z]{5}[0-9A-Z]\d"),
    NationalId("MY", "my.nric", rf"{DATE6}-\d{{2}}-\d{{4}}"),
    NationalId(
        "NL",
        "nl.bsn",
        r"\d{4}\.?\d{2}\.?\d{3}|\d{9}",
        ("bsn", "burgerservicenummer", "sofi-?nummer"),
    ),
    NationalId("NO", "no.fodselsnummer", r"[0-7]\d[0-5]\d\d{2} ?\d{5}"),
    NationalId("PL", "pl.pesel", r"\d{11}", ("pesel",)),
    NationalId("PT", "pt.nif", r"[1-3]\d{2} ?\d{3} ?\d{3}", ("nif", "contribuinte")),
    NationalId("RO", "ro.cnp", r"[1-9]\d{2}[01]\d[0-3]\d\d{6}"),
    NationalId("SE", "se.personnummer", r"(?:[12]\d)?\d{2}[01]\d[0-9]\d[-+]\d{4}"),
    NationalId("SI", "si.emso", r"[0-3]\d[01]\d\d{3}5\d{5}", ("em[sš]o",)),
    NationalId("SK", "sk.rc", r"\d{2}[0-8]\d[0-3]\d/\d{3,4}"),
    NationalId("TH", "th.pin", r"[1-8]-\d{4}-\d{5}-\d{2}-\d"),
    NationalId("TR", "tr.tckimlik", r"[1-9]\d{10}", ("t\\.?c\\.? ?(?:kimlik)?(?: ?no)?", "kimlik")),
    NationalId("UA", "ua.rntrc", r"\d{10}", ("рнокпп", "іпн", "rntrc")),
    NationalId("US", "us.itin", r"9\d{2}-[5-9]\d-\d{4}"),
    NationalId("ZA", "za.idnr", r"\d{2}[01]\d[0-3]\d ?\d{4} ?[01]\d{2}"),
)
COUNTRIES = tuple(sorted({kind.country for kind in KINDS}))
DIGIT = re.compile(r"\d")
FEWEST = 6
"""Digits that every form has."""


@cache
def _compiled() -> tuple[tuple[NationalId, re.Pattern[str]], ...]:
    return tuple((kind, re.compile(_pattern(kind))) for kind in KINDS)


@cache
def _named() -> re.Pattern[str]:
    """Any of the words: a quick look before the long one."""
    return re.compile("|".join((*ANY_WORD, *(word for kind in KINDS for word in kind.words))), re.I)


def _pattern(kind: NationalId) -> str:
    value = rf"(?P<value>{kind.form})(?![\w-]|[.,/]\d)"
    if not kind.words:
        return rf"(?<![\w.,/=#&-]){value}"
    words = "|".join((*kind.words, *ANY_WORD))
    between = r"(?:[\s:#=.()-]{1,4}(?:is|ist|es|est|no|nr|number|nummer)?\.?){1,3}"
    return rf"(?i:(?<!\w)(?:{words})){between}(?<![\w]){value}"


def national_ids(text: str, countries: Sequence[str] = ()) -> Iterator[tuple[int, int]]:
    """(start, end) of each number of a person, of all countries where none are named; places of
    several countries may overlap.
    """
    if len(DIGIT.findall(text)) < FEWEST:
        return
    named = _named().search(text) is not None
    for kind, pattern in _compiled():
        if (named or not kind.words) and (not countries or kind.country in countries):
            for match in pattern.finditer(text):
                if _right(kind, match["value"]):
                    yield match.span("value")


def _right(kind: NationalId, value: str) -> bool:
    """Whether the check of the number's country agrees."""
    digits = [c for c in value if c.isdigit()]
    if len(set(digits)) < 2:
        return False
    if not kind.module:
        return True
    from stdnum import get_cc_module

    module = get_cc_module(*kind.module.split("."))
    if module is None:
        raise LookupError(f"python-stdnum has no {kind.module}: another version is installed")
    return bool(module.is_valid(value))
