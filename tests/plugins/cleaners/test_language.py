"""The cleaner `language`: which documents stay, which are refused, which are marked."""

import pytest
from pydantic import ValidationError

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.cleaners import Cleaner, Document
from llmops.tasks.plugins.cleaners.language import LanguageCleaner


@pytest.mark.parametrize("language", ["en", "de", "de-AT", "EN_us"])
def test_wanted_languages_stay_as_they_are(language: str) -> None:
    document = Document("text", language=language)
    assert LanguageCleaner(keep=("en", "de")).apply(document) == document


def test_others_are_refused_and_the_reason_names_both() -> None:
    with pytest.raises(DocumentError, match="language fr; kept are en, de"):
        LanguageCleaner(keep=("en", "de")).apply(Document("texte", language="fr"))


def test_others_are_marked_and_keep_their_flags() -> None:
    document = Document("texte", language="fr", metadata={"flags": ["draft"]})
    assert LanguageCleaner(keep=("en",), policy="flag").apply(document).metadata["flags"] == [
        "draft",
        "language:fr",
    ]


@pytest.mark.parametrize("language", [None, ""])
def test_an_unknown_language_has_a_policy_of_its_own(language: str | None) -> None:
    document = Document("42", language=language)
    assert LanguageCleaner(keep=("en",)).apply(document) == document
    assert LanguageCleaner(keep=("en",), unknown="flag").apply(document).metadata["flags"] == [
        "language:unknown"
    ]
    with pytest.raises(DocumentError, match="language unknown"):
        LanguageCleaner(keep=("en",), unknown="quarantine").apply(document)


def test_one_language_needs_no_list() -> None:
    built = Spec(name="language", options={"keep": "de"}).build(Cleaner)
    assert built.apply(Document("x", language="de")).text == built.clean("x") == "x"


@pytest.mark.parametrize(
    ("keep", "said"),
    [
        ([], "at least 1"),
        (["english"], "a-z"),
        (False, "in quotes"),
        (["de", False], "in quotes"),
        (None, "tuple"),
    ],
)
def test_mistakes_are_named(keep: object, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Spec(name="language", options={"keep": keep}).build(Cleaner)
