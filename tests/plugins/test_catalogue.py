"""What `llmops plugins list` tells: every option with its type, its default and a sentence."""

import sys
from collections.abc import Mapping
from typing import Any, ClassVar

import jsonschema
import pytest
from pydantic import Field

from llmops.tasks.errors import UsageError
from llmops.tasks.plugins import FAMILIES, Plugin, names
from llmops.tasks.plugins.catalogue import catalogue, described, facts_of, help_of, options_of


class Told(Plugin):
    """`first` and `second` are told here; `second` is told again. `third`: told by the class."""

    family: ClassVar[str] = "cleaners"
    first: int = Field(ge=1, le=9)
    second: str = Field(default="", description="in the field")
    third: list[str] = Field(default_factory=lambda: ["a", "b"])
    fourth: Mapping[str, Any] | None = None
    """Below the field,
    in two lines.
    """
    fifth: bool = True


def test_all_plugins_are_there_and_each_option_has_help() -> None:
    found = catalogue()
    assert [(each.family, each.name) for each in found] == [
        (family, name) for family in FAMILIES for name in names(family)
    ]
    assert [each.name for each in found if not each.summary] == []
    silent = [
        f"{each.family}: {each.name}: {option.name}"
        for each in found
        if not each.package
        for option in each.options
        if not option.help
    ]
    assert silent == []


def test_each_option_of_a_trainer_has_a_sentence_of_its_own() -> None:
    for each in catalogue("trainers"):
        told = [option.help for option in each.options]
        assert len(set(told)) == len(told), each.name
        odd = [text for text in told if not text[0].isupper() or text[-1] != "."]
        assert odd == [], each.name
        assert not any(text.rstrip(".").endswith(" else") for text in told), each.name
        assert not any("fit_" in text for text in told), each.name


def test_a_summary_says_what_a_plugin_is_and_about_also_how_it_works() -> None:
    cleaner = facts_of("cleaners", "injection")
    assert cleaner.summary.startswith("Instructions to a model that hide in a document")
    assert "Place it before `unicode`" in cleaner.about
    assert facts_of("parsers", "office").summary.startswith("Office documents, old and new: Word,")


def test_of_several_plugins_in_one_file_each_class_says_what_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Second(Plugin):
        """Another one."""

        family: ClassVar[str] = "cleaners"

    monkeypatch.setattr("llmops.tasks.plugins.catalogue.load", lambda *_: Second)
    monkeypatch.setattr(sys.modules[__name__], "Second", Second, raising=False)
    assert facts_of("cleaners", "second").summary == "Another one."


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("first", "`first` and `second` are told here;"),
        ("second", "in the field"),
        ("third", "`third`: told by the class."),
        ("fourth", "Below the field, in two lines."),
        ("fifth", ""),
    ],
)
def test_where_help_comes_from(option: str, said: str) -> None:
    assert help_of(Told, option).startswith(said)
    assert bool(help_of(Told, option)) == bool(said)


def test_options_say_their_types_and_defaults() -> None:
    told = {each.name: each for each in options_of(Told, described(Told))}
    assert next(iter(told)) == "first"
    assert (told["first"].type, told["first"].required) == ("integer ≥ 1 ≤ 9", True)
    assert (told["third"].type, told["third"].default) == ("list of text", '["a", "b"]')
    assert told["third"].help == "told by the class."
    assert (told["fifth"].type, told["fifth"].default) == ("yes or no", "true")


def test_the_schema_tells_good_options_from_bad_ones() -> None:
    schema = facts_of("chunkers", "sentence").json_schema
    check = jsonschema.Draft202012Validator(dict(schema))
    assert check.is_valid({"size": 300})
    assert not check.is_valid({"size": "large"})
    assert not check.is_valid({"sise": 300})
    assert "tokens" in schema["properties"]["size"]["description"]


def test_a_name_of_yaml_is_the_name_of_the_option() -> None:
    """`from` and `schema` are no names of fields in Python."""
    assert "from" in {each.name for each in facts_of("senders", "email").options}
    assert "schema" in {each.name for each in facts_of("scorers", "json_schema").options}


def test_an_unknown_family_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="allowed: sources, parsers"):
        catalogue("scorer")
