"""What has a form: addresses, numbers with check digits, keys. Names by a recogniser of yours."""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cached_property
from typing import ClassVar

from pydantic import field_validator

from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.cleaners.pii import patterns
from llmops.tasks.plugins.cleaners.pii.patterns import SHAPES, EntitySpan, apart, spans_in
from llmops.tasks.plugins.scrubbers import Scrubber
from llmops.tasks.plugins.scrubbers.patterns.national import COUNTRIES, national_ids

ENTITIES = tuple(sorted({*patterns.ENTITIES, "mac", "national_id"}))
IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}(?![\w:.])")
"""All eight groups: an address, also one that nobody has been given."""
MAC = re.compile(r"(?<![\w:-])(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}(?![\w:-])")
MAC_DASHES = re.compile(r"(?<![\w:-])(?:[0-9A-Fa-f]{2}-){5}[0-9A-Fa-f]{2}(?![\w:-])")


class PatternsScrubber(Scrubber):
    """Finds what the cleaner `pii` finds (`email`, `phone`, `credit_card`, `iban`, `ip`, `ssn`,
    `passport`, `birth_date`, `secret`, `url_credentials`), further keys and tokens, and besides
    `mac` (addresses of network cards) and `national_id`: numbers of persons in 44 countries whose
    check digits are right (python-stdnum), those of few check digits only beside their name.

    `entities`: which of them; `countries`: ISO 3166 codes of the national ids, all where empty.
    `regions`: countries whose numbers are phones as people there write them, without `+`
    (phonenumbers; slow, and orders or parts may look like them). `allow`: values that may stay
    (`*@example.com`). `names`: another scrubber, whose findings count too: names of persons have no
    form, and none is found without one.
    """

    revision: ClassVar[int] = 2
    entities: tuple[str, ...] = ENTITIES
    countries: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    names: Spec | None = None

    @field_validator("entities")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or (unknown := sorted(set(value) - set(ENTITIES))):
            raise ValueError(
                f"got {', '.join(unknown) if value else 'none'}; allowed: {', '.join(ENTITIES)}"
            )
        return value

    @field_validator("countries")
    @classmethod
    def _with_numbers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(value) - set(COUNTRIES)):
            raise ValueError(f"got {', '.join(unknown)}; allowed: {', '.join(COUNTRIES)}")
        return value

    @field_validator("regions")
    @classmethod
    def _with_phones(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if value:
            from phonenumbers import SUPPORTED_REGIONS

            if unknown := sorted(set(value) - set(SUPPORTED_REGIONS)):
                raise ValueError(
                    f"got {', '.join(unknown)}; allowed are ISO 3166 codes such as DE, FR, US"
                )
        return value

    @cached_property
    def _named(self) -> Scrubber | None:
        return self.names.build(Scrubber) if self.names else None

    def places(self, text: str) -> list[EntitySpan]:
        found = [*spans_in(text, frozenset(self.entities)), *self._more(text)]
        if self._named is not None:
            found += self._named.places(text)
        return [one for one in apart(found) if not self._may_stay(text[one.start : one.end])]

    def _may_stay(self, value: str) -> bool:
        return any(fnmatchcase(value, allowed) for allowed in self.allow)

    def _more(self, text: str) -> Iterator[EntitySpan]:
        """What the cleaner does not look for."""
        if "secret" in self.entities:
            for shape in SHAPES:
                group = "value" if "value" in shape.groupindex else 0
                for match in shape.finditer(text):
                    yield EntitySpan(*match.span(group), "secret")
        if "ip" in self.entities and ":" in text:
            for match in IPV6.finditer(text):
                yield EntitySpan(*match.span(), "ip")
        if "mac" in self.entities:
            for pattern, sign in ((MAC, ":"), (MAC_DASHES, "-")):
                for match in pattern.finditer(text) if sign in text else ():
                    if len(set(match[0])) > 2:  # all zeros, all ones
                        yield EntitySpan(*match.span(), "mac")
        if "national_id" in self.entities:
            for start, end in national_ids(text, self.countries):
                yield EntitySpan(start, end, "national_id")
        if "phone" in self.entities:
            yield from self._phones(text)

    def _phones(self, text: str) -> Iterator[EntitySpan]:
        if not self.regions:
            return
        from phonenumbers import PhoneNumberMatcher

        for region in self.regions:
            for match in PhoneNumberMatcher(text, region):
                yield EntitySpan(match.start, match.end, "phone")
