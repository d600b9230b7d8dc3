"""Documents by language: what is not wanted is refused or marked."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.cleaners import Cleaner, Document

UNKNOWN = "unknown"
Code = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]


class LanguageCleaner(Cleaner):
    """Keeps the languages of `keep` (ISO 639-1). Of others, `quarantine` refuses a document, `flag`
    adds the flag `language:fr`.

    `unknown` says what becomes of documents whose language nobody could tell (short texts, tables,
    code): `keep`, `flag` (as `language:unknown`) or `quarantine`. The language is the one found
    when the document was read; regions do not count (`de-AT` is `de`). To route by it without this
    cleaner, search with `--where 'language = "de"'`.
    """

    keep: tuple[Code, ...] = Field(min_length=1)
    policy: Literal["quarantine", "flag"] = "quarantine"
    """What happens to documents in other languages."""
    unknown: Literal["keep", "flag", "quarantine"] = "keep"

    @field_validator("keep", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        if value is False:
            raise ValueError('got false, which is how YAML reads the code no; write "no" in quotes')
        if isinstance(value, list) and False in value:
            raise ValueError(
                'the list holds false, which is how YAML reads the code no; write "no" in quotes'
            )
        return [value] if isinstance(value, str) else value

    def clean(self, text: str) -> str:
        return text

    def apply(self, document: Document) -> Document:
        code = (document.language or "").replace("_", "-").split("-")[0].lower()
        policy = "keep" if code in self.keep else self.policy if code else self.unknown
        if policy == "quarantine":
            raise DocumentError(
                f"the document is in the language {code or UNKNOWN}; kept are "
                f"{', '.join(self.keep)}. Add it to keep, or "
                "exclude the document at its source"
            )
        return document.flagged(f"language:{code or UNKNOWN}") if policy == "flag" else document
