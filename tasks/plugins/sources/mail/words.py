"""What a person wrote in a mail, as text or HTML, without what others wrote before, signatures and
footers. Never empty where the mail is not.

By hand: the two libraries for this find the quotation in 10 and in 7 of 13 languages, these
patterns in all.
"""

import re
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.html import HtmlElement


WROTE = re.compile(
    r"\b(?:wrote|writes|said|schrieb(?:en)?|a écrit|ha "
    r"scritto|escribió|escreveu|schreef|skrev|napisał(?:\(a\)|a)?|pisze|"
    r"kirjoitti|yazdı|napsal(?:\(a\)|a)?|написал(?:\(?а\)?)?|пишет)\b|写道|寫道|書きました|のメッセージ",
    re.I,
)
OPENS = re.compile(
    r"\s*(?:On|Am|Le|El|Il|Op|Em|Den|Dne|W dniu|Dnia|Em|Pe|\d{1,4}[./年-])\b|.*\d{4}.*[,:]", re.I
)
ORIGINAL = re.compile(
    r"\s*-{2,}\s*(?:Original Message|Original Appointment|Ursprüngliche "
    r"Nachricht|Originalnachricht|Message d'origine|"
    r"Mensaje original|Messaggio originale|Oorspronkelijk bericht|Mensagem "
    r"original|Ursprungligt meddelande|"
    r"Исходное сообщение|原始邮件|原始郵件)\s*-{2,}\s*$",
    re.I,
)
OUTLOOK = [
    re.compile(rf"\*?(?:{names})\*?\s?[:：]", re.I)
    for names in (
        "From|Von|De|Da|Van|Från|Od|От|发件人|差出人",
        "Sent|Date|Gesendet|Datum|Envoyé|Enviado|Inviato|Verzonden|Skickat|Wysłano|Отправлено|发送时间|送信日時",
        "Subject|Betreff|Objet|Asunto|Oggetto|Onderwerp|Assunto|Ämne|Temat|Тема|主题|件名",
    )
]
FORWARDS = re.compile(r"\s*(?:fwd?|wg|tr|rv|vl|enc|doorst|пересл)\s*:", re.I)
FORWARDED = re.compile(
    r"forward|weitergeleitet|transféré|reenviado|inoltrato|doorgestuurd|vidarebefordra|przekazan|пересланн|转发",
    re.I,
)
SIGNATURE = re.compile(r"-- ?$")
MOBILE = re.compile(
    r"(?:Sent from (?:my|Mail|Yahoo)|Get Outlook for|Von meinem .{1,40} gesendet|Gesendet "
    r"(?:von|mit) |"
    r"Envoyé (?:de|depuis) |Enviado (?:desde|do) |Inviato da |Verzonden vanaf |Skickat "
    r"från |Wysłane z |"
    r"Отправлено с )",
    re.I,
)
FOOTER = re.compile(r"[_=-]{20,}\s*$")
LIST = re.compile(r"mailing list|listinfo|unsubscribe|google groups|abmelden|désabonner", re.I)
LONGEST_SIGNATURE, CONTEXT, LONGEST_BLOCK = 12, 3, 6
QUOTES = (
    "//blockquote[@type='cite']",
    "//*[contains(concat(' ', @class, ' '), ' gmail_quote ')]",
    "//*[contains(@class, 'yahoo_quoted') or contains(@class, 'protonmail_quote') or "
    "contains(@class, 'moz-cite-prefix')]",
    "//*[@id='divRplyFwdMsg' or @id='appendonsend' or @id='reply-intro']/following-sibling::*",
    "//*[@id='divRplyFwdMsg' or @id='appendonsend' or @id='reply-intro']",
    "//*[contains(@class, 'gmail_signature') or contains(@class, 'moz-signature') or "
    "@id='Signature']",
)
BREAKS = {
    "p",
    "div",
    "br",
    "tr",
    "li",
    "ul",
    "ol",
    "table",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "blockquote",
    "pre",
    "hr",
    "section",
}
UNSEEN = "//script|//style|//head|//noscript|//template"


def own_words(text: str, subject: str = "") -> str:
    """The text without quotes and signature. Quotes that are answered line by line keep their last
    lines, as context.
    """
    lines = text.split("\n")
    if not FORWARDS.match(subject):  # what is forwarded is the message
        lines = lines[: _history(lines)]
    lines = _unsigned(lines)
    blocks = [
        (quoted, list(group))
        for quoted, group in groupby(_classified(lines), key=lambda one: one[0])
    ]
    texts = [(quoted, [line for _, line in group]) for quoted, group in blocks]
    parts = _parts([(quoted, group if quoted else _handwritten(group)) for quoted, group in texts])
    kept = "\n\n".join(part for part in parts if part)
    return kept if kept.strip() else text.strip()


def _history(lines: Sequence[str]) -> int:
    """Where the unmarked copy of an earlier mail begins: at its separator, or at a block of its
    header fields.
    """
    for number, line in enumerate(lines):
        if ORIGINAL.match(line):
            return number
        if OUTLOOK[0].match(line.strip()) and number:
            if FORWARDED.search("".join(lines[max(0, number - 2) : number])):
                return len(lines)
            block = [one.strip() for one in lines[number : number + LONGEST_BLOCK]]
            if all(any(wanted.match(one) for one in block) for wanted in OUTLOOK[1:]):
                return number - 1 if FOOTER.match(lines[number - 1]) else number
    return len(lines)


def _unsigned(lines: list[str]) -> list[str]:
    """The lines without a signature, before quotes that follow it too, a mailing list's footer, and
    a telephone's.
    """
    for number, line in enumerate(lines):
        if (
            FOOTER.match(line)
            and LIST.search("\n".join(lines[number : number + 5]))
            and len(lines) - number <= LONGEST_SIGNATURE
        ):
            lines = lines[:number]
            break
    for number in range(len(lines) - 1, -1, -1):
        if SIGNATURE.fullmatch(lines[number]):
            end = next(
                (n for n in range(number, len(lines)) if lines[n].startswith(">")), len(lines)
            )
            if end - number <= LONGEST_SIGNATURE + 1:
                lines = lines[:number] + lines[end:]
    return _handwritten(lines)


def is_footer(text: str) -> bool:
    """Whether a text is nothing but the footer of a mailing list, which some add as a part."""
    lines = text.strip().split("\n")
    return bool(
        FOOTER.match(lines[0])
        and LIST.search("\n".join(lines[:5]))
        and len(lines) <= LONGEST_SIGNATURE
    )


def _handwritten(lines: list[str]) -> list[str]:
    """The lines without blank ones and a telephone's signature at their end."""
    while lines and (not lines[-1].strip() or MOBILE.match(lines[-1].strip())):
        lines = lines[:-1]
    return lines


def _classified(lines: Sequence[str]) -> list[tuple[bool, str]]:
    """Each line with whether it is quoted; blank lines within a quote and the sentence that
    introduces it are.
    """
    quoted = [line.lstrip().startswith((">", "|>")) for line in lines]
    for number in [n for n in range(len(lines)) if quoted[n] and (n == 0 or not quoted[n - 1])]:
        above = number - 1
        while above >= 0 and not lines[above].strip():
            above -= 1
        first = _introduction(lines, above)
        for each in range(first, number):
            quoted[each] = True
    return list(zip(quoted, lines, strict=True))


def _introduction(lines: Sequence[str], last: int) -> int:
    """Where the sentence `On … wrote:` that ends in a line begins; the line after it when it is
    none. Within quotes, blanks go too.
    """
    if last >= 0 and lines[last].lstrip().startswith(">"):
        return last + 1
    ends = last >= 0 and lines[last].rstrip().endswith((":", "："))
    if not ends or not WROTE.search(" ".join(lines[max(0, last - 1) : last + 1])):
        return last + 1
    for first in range(max(0, last - 2), last + 1):
        if all(line.strip() for line in lines[first : last + 1]) and OPENS.match(lines[first]):
            return first
    return last


def _parts(blocks: Sequence[tuple[bool, list[str]]]) -> list[str]:
    """The own blocks, with the last lines of those quotes that are answered point by point."""
    filled = [
        (quoted, "\n".join(lines).strip("\n"))
        for quoted, lines in blocks
        if any(line.strip() for line in lines)
    ]
    answered = [
        n
        for n, (quoted, _) in enumerate(filled)
        if quoted and any(not q for q, _ in filled[n + 1 : n + 2])
    ]
    by_point = len(answered) > 1 or (len(answered) == 1 and answered[0] > 0)
    return [
        _context(text) if quoted else text
        for n, (quoted, text) in enumerate(filled)
        if not quoted or (by_point and n in answered)
    ]


def _context(quote: str) -> str:
    lines = [line.lstrip() for line in quote.split("\n")]
    direct = [line for line in lines if re.match(r">\s?(?!\s*>)\S", line)]
    return "\n".join(direct[-CONTEXT:])


def own_html(html: str) -> str:
    """The HTML without quotes and signatures, as it is where nothing would be left or it cannot be
    parsed.
    """
    from lxml.html import tostring

    tree = _tree(html)
    if tree is None:
        return html
    for path in QUOTES:
        for element in tree.xpath(path):
            if element.getparent() is not None:
                element.drop_tree()
    return str(tostring(tree, encoding="unicode")) if _text(tree).strip() else html


def plain_text(html: str) -> str:
    """The text of HTML, a line per block."""
    tree = _tree(html)
    return "" if tree is None else _text(tree)


def _tree(html: str) -> "HtmlElement | None":
    """The document, None where there is none."""
    from lxml.etree import LxmlError
    from lxml.html import document_fromstring

    try:
        return document_fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", html))
    except (LxmlError, ValueError, AssertionError):
        return None


def _text(tree: "HtmlElement") -> str:
    from lxml.etree import iterwalk

    unseen = {inner for root in tree.xpath(UNSEEN) for inner in root.iter()}
    pieces: list[str] = []
    for event, element in iterwalk(tree, events=("start", "end")):
        if event == "start":
            pieces.append("\n" if element.tag in BREAKS else "")
            shown = element not in unseen and isinstance(element.tag, str)
            pieces.append((element.text or "").replace("\n", " ") if shown else "")
        else:
            pieces.append("\n" if element.tag in BREAKS and element.tag != "br" else "")
            parent = element.getparent()
            pieces.append(
                (element.tail or "").replace("\n", " ")
                if parent is None or parent not in unseen
                else ""
            )
    lines = [" ".join(line.split()) for line in "".join(pieces).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
