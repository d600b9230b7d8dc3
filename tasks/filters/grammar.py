"""From `lang = "de" and year >= 2024` to a condition.

condition  := and-chain ("or" and-chain)*
and-chain  := factor ("and" factor)*
factor     := "not" factor | "(" condition ")" | test
test       := FIELD ("=" | "!=" | "<" | "<=" | ">" | ">=") VALUE
            | FIELD ["not"] "in" "(" VALUE ("," VALUE)* ")"
            | FIELD "contains" VALUE            (fields of several texts)
            | FIELD "is" ["not"] "missing"
VALUE      := "text" | 'text' | number | true | false
"""

import re
from collections.abc import Sequence
from typing import NamedTuple, cast

from llmops.tasks.errors import UsageError, did_you_mean
from llmops.tasks.filters import (
    ALIASES,
    BUILT_IN,
    LABELS,
    And,
    Compare,
    Fields,
    HasAny,
    Kind,
    Missing,
    Not,
    OneOf,
    Operator,
    Or,
    Where,
    column,
)
from llmops.tasks.filters.values import literal

LONGEST = 10_000
DEEPEST = 50
MOST_VALUES = 1_000
TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.]))
                       |(?P<word>[^\W\d][\w.-]*)|(?P<sign>==|<>|&&|\|\||<=|>=|!=|[=<>(),]))""",
    re.VERBOSE | re.DOTALL,
)
EXAMPLE = 'for example: lang = "de" and year >= 2024'
SIGNS = ("=", "!=", "<", "<=", ">", ">=")
INSTEAD = {"==": "=", "<>": "!=", "&&": "and", "||": "or"}
"""What other languages write."""
JOINING = ("and", "or", ")", "")  # where a condition should begin, these say that there is none


class Token(NamedTuple):
    kind: str
    text: str
    place: int


def parse(text: str, declared: Fields) -> Where:
    """The condition in a text. Raises UsageError with the place for anything that the grammar or
    the fields do not know.
    """
    if len(text) > LONGEST:
        raise UsageError(f"the condition has {len(text):,} characters; allowed: {LONGEST:,}")
    parser = _Parser(_tokens(text), {**BUILT_IN, **declared})
    found = parser.condition(0)
    parser.end()
    return found


def _tokens(text: str) -> list[Token]:
    tokens, place = [], 0
    while text[place:].strip():
        match = TOKEN.match(text, place)
        if match is None:
            wrong = len(text[:place]) + len(text[place:]) - len(text[place:].lstrip())
            raise _wrong(f"{text[wrong : wrong + 20]!r} is not understood", wrong)
        kind = str(match.lastgroup)
        if ours := INSTEAD.get(match[kind]) if kind == "sign" else None:
            raise _wrong(f"write {ours} instead of {match[kind]}", match.start(kind))
        tokens.append(Token(kind, match[kind], match.start(kind)))
        place = match.end()
    return [*tokens, Token("end", "", len(text))]


def _wrong(message: str, place: int) -> UsageError:
    return UsageError(
        f"{message}, at character {place + 1} of the condition", where="--where", hint=EXAMPLE
    )


class _Parser:
    def __init__(self, tokens: Sequence[Token], fields: Fields) -> None:
        self._tokens, self._fields, self._next = tokens, fields, 0

    @property
    def _here(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._here
        self._next = min(self._next + 1, len(self._tokens) - 1)
        return token

    def _word(self, *words: str) -> bool:
        """Take the next token when it is one of these keywords or signs."""
        if self._here.kind in ("word", "sign") and self._here.text.lower() in words:
            self._take()
            return True
        return False

    def _want(self, sign: str) -> None:
        if not self._word(sign):
            raise _wrong(
                f"{sign!r} is wanted, got {self._here.text or 'the end'!r}", self._here.place
            )

    def end(self) -> None:
        if self._here.kind != "end":
            raise _wrong(
                f"nothing, `and` or `or` is wanted, got {self._here.text!r}", self._here.place
            )

    def condition(self, depth: int) -> Where:
        parts = [self._chain(depth)]
        while self._word("or"):
            parts.append(self._chain(depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _chain(self, depth: int) -> Where:
        parts = [self._factor(depth)]
        while self._word("and"):
            parts.append(self._factor(depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _factor(self, depth: int) -> Where:
        if depth > DEEPEST:
            raise _wrong(f"the condition is nested more than {DEEPEST} deep", self._here.place)
        if self._word("not"):
            return Not(self._factor(depth + 1))
        if self._word("("):
            inner = self.condition(depth + 1)
            self._want(")")
            return inner
        return self._test()

    def _test(self) -> Where:
        name, kind = self._field()
        own = column(name)
        if self._word("is"):
            negated = self._word("not")
            self._want("missing")
            return Not(Missing(own, kind)) if negated else Missing(own, kind)
        negated = self._word("not")
        if self._word("in"):
            found = self._among(name, own, kind)
        elif self._word("contains") and not negated:
            found = self._contains(name, own, kind)
        else:
            return self._compared(name, own, kind)
        return Not(found) if negated else found

    def _field(self) -> tuple[str, Kind]:
        token = self._here
        name = ALIASES.get(token.text, token.text) if token.text not in self._fields else token.text
        if token.kind != "word" or name not in self._fields:
            raise self._no_field(token)
        self._take()
        return name, self._fields[name]

    def _no_field(self, token: Token) -> UsageError:
        if token.text.lower() in JOINING:
            before = self._tokens[self._next - 1].text.lower() if self._next else ""
            return _wrong(
                f"a condition is missing {f'after {before!r}' if before else 'at the beginning'}",
                token.place,
            )
        if token.text == LABELS:
            return UsageError(
                "labels are not part of a condition: a search finds what is public "
                "and what the labels given open",
                where="--where",
                hint='llmops search "…" --kb NAME --label hr',
            )
        close = did_you_mean(token.text, self._fields)
        known = close or f"declared: {', '.join(sorted(self._fields))}"
        return UsageError(
            f"{token.text!r} at character {token.place + 1} is no declared field",
            where="--where",
            hint=f"{known}; more are declared with `fields:` in the config",
        )

    def _among(self, name: str, own: str, kind: Kind) -> Where:
        self._want("(")
        values = [self._value(name, kind)]
        while self._word(","):
            values.append(self._value(name, kind))
        self._want(")")
        if len(values) > MOST_VALUES:
            raise _wrong(f"{len(values)} values; allowed: {MOST_VALUES}", self._here.place)
        return (
            HasAny(own, tuple(map(str, values)))
            if kind == "texts"
            else OneOf(own, kind, tuple(values))
        )

    def _contains(self, name: str, own: str, kind: Kind) -> Where:
        if kind != "texts":
            raise _wrong(
                f"`contains` is for fields of several texts; {name} is {kind}", self._here.place
            )
        return HasAny(own, (str(self._value(name, kind)),))

    def _compared(self, name: str, own: str, kind: Kind) -> Where:
        sign = self._take()
        if sign.kind != "sign" or sign.text not in SIGNS:
            raise _wrong(
                f"one of {' '.join(SIGNS)}, in, contains, is is wanted after {name}, got "
                f"{sign.text or 'the end'!r}",
                sign.place,
            )
        if kind == "texts" or (kind == "boolean" and sign.text not in ("=", "!=")):
            allowed = "contains, in, is missing" if kind == "texts" else "=, !="
            raise _wrong(
                f"{sign.text} does not go with {name}, which is {kind}; allowed: {allowed}",
                sign.place,
            )
        value = self._value(name, kind)
        if sign.text == "!=":
            return And((Not(Missing(own, kind)), Not(Compare(own, kind, "=", value))))
        return Compare(own, kind, cast(Operator, sign.text), value)

    def _value(self, name: str, kind: Kind) -> str | int | float | bool:
        token = self._take()
        try:
            return literal(token.kind, token.text, kind)
        except ValueError as error:
            raise _wrong(f"{name} is {kind}: {error}", token.place) from error
