"""What personal data and secrets look like. Every quantifier is bounded or possessive: the time
grows with the text, not faster.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from llmops.tasks.plugins.cleaners.pii import checks

L: Final = "A-Za-z0-9\u00c0-\u024f"
NUMBER = r"(?<![\w.,/=#:%&?+-])(?<![$€£]\s)"
END = r"(?![\w%])(?![.,:/=-]\d)"
EXTENSION = r"(?:\s?(?:x|ext\.?)\s?\d{1,5})?"
PHONE_WORD = (
    r"(?:tele?phone|phone|tel|fax|mobile|cell(?: ?phone|ular)|cell(?=:)|desk|office|"
    r"(?:call|reach|text)(?:ing)?(?:\s\w{1,12}){0,3}|whatsapp|hotline|answering at|messages? to|"
    r"telefon(?:nummer)?|mobil|handy|durchwahl|t[ée]l[ée]phone|portable|t[ée]l[ée]fono|m[óo]vil|"
    r"celular|cellulare|telefone|telefoon|telefon|電話|电话|手机|携帯|тел(?:ефон)?)"
)
DAY = (
    r"(?:\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\s?\d{1,2}[-./]\s?\d{2,4}|"
    r"\d{1,2}(?:st|nd|rd|th|\.)?\s(?:de\s)?[^\W\d_]{3,12}\.?,?\s(?:de\s)?\d{4}|"
    r"[^\W\d_]{3,12}\s\d{1,2}(?:st|nd|rd|th)?,?\s\d{4}|\d{4}年\d{1,2}月\d{1,2}日)"
)
BORN = (
    r"(?:date of birth|birth ?da(?:te|y)|d\.?o\.?b\.?|born(?: on)?|geboren(?: "
    r"am)?|geb\.|geburtsdatum|geburtstag|née?(?: le)?|"
    r"date de naissance|fecha de nacimiento|nacid[oa](?: el)?|data di nascita|nat[oa](?: "
    r"il)?|data de nascimento|geboortedatum|"
    r"出生日期|出生|生年月日)"
)
DOCUMENT = (
    r"(?:passport|passeport|pasaporte|passaporto|reisepass|personalausweis|ausweis|identity card|id card|护照|パスポート)"  # noqa: E501
    r"(?:[-\s]?(?:no|nr|num(?:ber|mer|[ée]ro)|n[ºo°]|号码|番号))?\.?"
)
DEVICE = re.compile(
    r"(?i)(?<![a-z])(?:imei(?:sv)?|meid)(?:[ _-]?(?:no|nr|num|number|code))?[ _-]?[12]?\W{0,8}$"
)
"""Numbers of telephones: fifteen digits and the check digit of cards."""
CONTEXT: Final = 32
DIGIT = re.compile(r"\d")
PASSWORD_WORD = (
    r"(?<![A-Z0-9])(?:password|passwd|pwd|secret(?:_?key)?|api[ _-]?key|access[_-]?token|"
    r"auth[_-]?token|token|passphrase|passwort|kennwort|contraseña|mot de passe)"
    r"(?:\*\*|__)?[\"'`]?\s?[:=：](?:\*\*|__)?(?:\s|[ \t]{0,4})"
)
PLAIN = r"^\s\"'<>(){}\[\],;|&`\u2e80-\uffef"
"""What a password is made of, but for signs that may also end it."""
JOINT = (
    r"(?:[,;|&(){}\[\]]|[\"'`](?![,;:.)\]}\s])){1,8}+"
    rf"(?!\w{{1,40}}[\"'`]?\s?[:=])(?=[{PLAIN}]{{0,63}}\w)"
)
"""Signs within a password: letters follow at once, which are no name of a further value."""
CALL = r"[A-Z_][\w.]{0,100}[(\[]"
TOKENS = "|".join(
    (
        r"(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}",
        r"gh[pousr]_[A-Za-z0-9]{36,251}",
        r"github_pat_[A-Za-z0-9_]{60,100}",
        r"glpat-[\w-]{20,64}",
        r"xox[abeoprs]-[A-Za-z0-9-]{10,200}",
        r"(?:sk|rk|pk)_live_[A-Za-z0-9]{16,120}",
        r"sk-(?:ant-|proj-|svcacct-)?[A-Za-z0-9_-]{20,200}",
        r"AIza[\w-]{35}",
        r"hf_[A-Za-z]{30,40}",
        r"npm_[A-Za-z0-9]{36}",
        r"pypi-AgE[\w-]{50,300}",
        r"SG\.[\w-]{16,32}\.[\w-]{32,64}",
        r"dop_v1_[a-f0-9]{64}",
        r"ya29\.[\w-]{20,300}",
        r"eyJ[\w-]{8,2000}\.eyJ[\w-]{8,8000}\.[\w-]{16,2000}",
    )
)

SHAPES: Final = (
    re.compile(r"(?<![\w-])llmops_[A-Za-z0-9_-]{20,100}"),
    re.compile(
        r"(?i)(?<![\w-])(?:bearer|basic)\s{1,3}(?P<value>"
        r"(?=[a-z._~+/-]{0,200}\d)[a-z0-9._~+/-]{8,4000}=*)"
    ),
    re.compile(r"(?<![\w-])\d{8,10}:AA[\w-]{33}(?![\w-])"),  # bots of Telegram
    re.compile(r"eyJ[\w-]{5,4000}\.eyJ[\w-]{2,8000}\.[\w-]{0,4000}"),
    re.compile(
        r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----[^-]{0,20000}"
        r"(?:-----END[^-\n]{0,60}-----)?"
    ),
)
"""Further secrets: our own keys, headers, tokens, keys that are cut off. Documents show such shapes
as examples, so that the cleaner leaves them; traces and training rows are looked through for them.
"""


class EntityPattern(NamedTuple):
    """One way in which an entity is written: the group `value`, or all of it, is what is found if
    `check` agrees. A text without one of `signs` (if there are any), or with fewer `digits`, holds
    none, and need not be looked through: most texts.
    """

    entity: str
    pattern: re.Pattern[str]
    check: Callable[[str], bool] = bool
    signs: tuple[str, ...] = ()
    digits: int = 0

    def may_stand_in(self, text: str, digits: int) -> bool:
        """A quick look. `digits`: how many the text has."""
        return digits >= self.digits and (
            not self.signs or any(sign in text for sign in self.signs)
        )


class MeasuredPattern(NamedTuple):
    """A number whose end its check digits tell: what follows it may look like more of the same.
    `length_of`: how many characters of a match are the number, 0: none; `digits`: how many a text
    with one has at least; `device`: what stands before numbers of another kind with the same check
    digit.
    """

    pattern: re.Pattern[str]
    length_of: Callable[[str], int]
    digits: int
    device: re.Pattern[str] | None = None

    def lengths(self, text: str) -> Iterator[tuple[int, int]]:
        """(start, length) of each number in the text."""
        for match in self.pattern.finditer(text):
            length = self.length_of(match[0])
            before = text[max(0, match.start() - CONTEXT) : match.start()]
            if length and not (self.device and self.device.search(before)):
                yield match.start(), length


def _kind(
    entity: str,
    pattern: str,
    check: Callable[[str], bool] = bool,
    signs: tuple[str, ...] = (),
    digits: int = 0,
) -> EntityPattern:
    return EntityPattern(entity, re.compile(pattern), check, signs, digits)


def digits_in(text: str) -> int:
    """Of any script, as the patterns know them."""
    return len(DIGIT.findall(text))


KINDS = (
    _kind(
        "secret",
        r"-----BEGIN (?:[A-Z]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:[^-]|-(?!----)){0,20000}+"
        r"-----END (?:[A-Z]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----",
    ),
    _kind("secret", rf"(?<![\w-])(?:{TOKENS})(?![\w-])"),
    _kind(
        "secret",
        rf"(?i){PASSWORD_WORD}(?P<quote>[\"'`])"
        r"(?P<value>(?:(?!(?P=quote))[^\s<>\u2e80-\uffef]){8,200}+)(?P=quote)(?!\w)",
        checks.secret,
        signs=(":", "=", "："),
    ),
    _kind(
        "secret",
        rf"(?i){PASSWORD_WORD}[\"'`]?(?!{CALL})"
        rf"(?P<value>(?<!\w)[{PLAIN}]{{1,200}}+(?:{JOINT}[{PLAIN}]{{1,64}}+){{0,6}}+)(?!\w)",
        checks.secret,
        signs=(":", "=", "："),
    ),
    _kind(
        "url_credentials",
        r"(?<![a-z0-9])[a-z][a-z0-9+.-]{1,20}://"
        r"(?P<value>[^\s/:@<>\"'`|{}$]{1,100}:[^\s/@<>\"'`|{}$*]{1,200})@(?=[\w\[])",
        signs=("://",),
    ),
    _kind(
        "email",
        rf"(?<![{L}_])(?<![{L}_][.%+'-])(?!git@)[{L}_](?:[{L}._%+'-]{{0,63}})@(?:[{L}](?:[{L}-]{{0,62}})\.){{1,8}}"
        rf"(?!(?:png|jpe?g|gif|svg|webp)\b)[A-Za-z]{{2,24}}(?![{L}@]|-[{L}])",
        signs=("@",),
    ),
    _kind("ssn", NUMBER + r"\d{3}-\d{2}-\d{4}" + END, checks.ssn, digits=9),
    _kind(
        "ssn",
        r"(?i)\b(?:ssn|social security(?: number| no\.?)?)\W{0,3}(?:is |number |no "
        r")?(?P<value>\d{3}[ .]?\d{2}[ .]?\d{4})(?!\d)",
        checks.ssn,
        digits=9,
    ),
    _kind("birth_date", rf"(?i)(?<!\w){BORN}[:\s(]{{0,4}}(?P<value>{DAY})(?!\d)", digits=4),
    _kind(
        "passport",
        rf"(?i)(?<!\w){DOCUMENT}[:#\s]{{1,4}}(?:is "
        rf")?(?P<value>(?=[A-Z]{{0,3}}\d)[A-Z0-9]{{6,10}})(?![\w-])",
        digits=1,
    ),
    _kind(
        "ip",
        r"(?<![\w.:/-])(?<!version )(?<!Version )(?<!EC "
        r")\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*[\w])(?!/\d)",
        checks.ip,
        digits=4,
    ),
    _kind(
        "ip",
        r"(?<![\w:.])[0-9a-fA-F]{1,4}:[0-9a-fA-F:]{4,34}(?![\w:.])",
        checks.ip,
        signs=(":",),
    ),
    _kind(
        "phone",
        rf"{NUMBER}(?:\(?\+|(?<!\d )00[ -]?(?=[1-9]))[1-9](?:[ "
        rf".()/-]{{0,2}}\d){{6,14}}{EXTENSION}{END}",
        checks.phone,
        digits=7,
    ),
    _kind(
        "phone",
        r"(?<![\w.,/=#:%&?+-])(?:001[-. ])?(?:1[-. ])?(?:\([2-9]\d\d\) ?|[2-9]\d\d[-. "
        r"])[2-9]\d\d[-. ]\d{4}"
        rf"{EXTENSION}{END}",
        checks.phone,
        digits=10,
    ),
    _kind(
        "phone",
        rf"{NUMBER}(?<!\d )(?:\(0[1-9]\d{{0,3}}\)|0[1-9]\d{{0,3}})(?: ?[/-] ?|[ .])"
        rf"\d{{2,8}}(?:[ /.-]\d{{2,6}}){{1,4}}{END}",
        checks.phone,
        digits=6,
    ),
    _kind(
        "phone",
        rf"{NUMBER}(?<!\d )0[1-9]\d{{1,3}}(?:/| / | )\d{{6,8}}{END}",
        checks.phone,
        digits=9,
    ),
    _kind(
        "phone",
        rf"(?i)(?<!\w){PHONE_WORD}(?:\s?(?:no|nr|number)\b)?(?:\s(?:is|on))?[.:\s]{{1,4}}"
        rf"(?P<value>[+(]?\d(?:[ ./()-]{{0,2}}\d){{6,14}}{EXTENSION}){END}",
        checks.phone,
        digits=7,
    ),
    _kind(
        "phone",
        rf"(?i){NUMBER}(?P<value>[+(]?\d(?:[ ./()-]{{0,2}}\d){{6,14}}(?:x\d{{1,5}})?)"
        r"[ -](?:office|fax|mobile|phone|home|desk)(?!\w)",
        checks.phone,
        digits=7,
    ),
)
MEASURED: Mapping[str, MeasuredPattern] = {
    "credit_card": MeasuredPattern(
        re.compile(r"(?<![\d.,-])\d(?:[ -]?\d){11,21}(?!\d)"), checks.card, 12, DEVICE
    ),
    "iban": MeasuredPattern(
        re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]){11,31}"), checks.iban, 2
    ),
}
ENTITIES = tuple(sorted({kind.entity for kind in KINDS} | set(MEASURED)))


class EntitySpan(NamedTuple):
    """A place in the text."""

    start: int
    end: int
    entity: str


def spans_in(text: str, entities: frozenset[str]) -> list[EntitySpan]:
    """What the text holds of the entities, in its order, without overlaps: the more specific kind
    wins.
    """
    taken: list[EntitySpan] = []
    digits = digits_in(text)
    for kind in KINDS:
        if kind.entity in entities and kind.may_stand_in(text, digits):
            group = "value" if "value" in kind.pattern.groupindex else 0
            taken += (
                EntitySpan(*match.span(group), kind.entity)
                for match in kind.pattern.finditer(text)
                if kind.check(match[group])
            )
    for entity in entities & set(MEASURED):
        if digits >= MEASURED[entity].digits:
            taken += (
                EntitySpan(start, start + length, entity)
                for start, length in MEASURED[entity].lengths(text)
            )
    return apart(taken)


def apart(spans: Iterable[EntitySpan]) -> list[EntitySpan]:
    """The spans in the order of the text without overlaps: the earlier one wins, then the longer
    one, then the one that was given first.
    """
    kept, end = list[EntitySpan](), 0
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if span.start >= end:
            kept.append(span)
            end = span.end
    return kept
