"""The scrubbers `listed` and `function`."""

import pytest
from pydantic import ValidationError

from llmops.tasks.errors import ConfigError
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.scrubbers import Scrubber


def found(text: str, name: str, **options: object) -> list[tuple[str, str]]:
    scrubber = Spec(name=name, options=options).build(Scrubber)
    return [(one.entity, text[one.start : one.end]) for one in scrubber.places(text)]


def test_values_are_found_as_whole_words_in_their_own_case() -> None:
    text = "Mark and Ada\nLovelace mark Marks; O'Neil (Ada)"
    values = ["Ada Lovelace", "Mark", "Ada", "O'Neil"]
    expected = ["Mark", "Ada\nLovelace", "O'Neil", "Ada"]
    assert found(text, "listed", values=values) == [("person", each) for each in expected]


def test_scripts_without_blanks_have_no_words() -> None:
    assert found("我叫王小明。", "listed", values=["王小明"]) == [("person", "王小明")]


def test_any_case_and_another_entity() -> None:
    options = {"values": ["project X"], "any_case": True, "entity": "project"}
    assert found("PROJECT  x!", "listed", **options) == [("project", "PROJECT  x")]


def test_values_say_something() -> None:
    with pytest.raises(ValidationError, match="without a letter or digit"):
        found("", "listed", values=[" "])


def test_a_function_is_a_recogniser() -> None:
    path = "tests.plugins.scrubbers.recogniser:capitals"
    assert found("with Ada Lovelace", "function", path=path) == [("person", "Ada Lovelace")]
    assert found("with Ada Lovelace", "function", path=path, entities=["place"]) == []


def test_a_function_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match="nowhere:people cannot be imported"):
        found("a", "function", path="nowhere:people")


def test_places_beyond_the_text_are_refused() -> None:
    with pytest.raises(ValueError, match=r"found .* in a text of 1 characters"):
        found("a", "function", path="tests.plugins.scrubbers.recogniser:beyond")
