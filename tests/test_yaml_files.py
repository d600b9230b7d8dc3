"""The one reader and writer of YAML: strict, by version 1.2, and what is written is read back."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmops.tasks.errors import ConfigError
from llmops.tasks.yaml_files import NoYaml, parsed, read_yaml, text_of, write_yaml

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def test_values_mean_what_they_look_like() -> None:
    assert read_yaml("keep: [no, de]\nat: 12:30\nmode: off\nport: 010\nrate: 1e3\nyes: true") == {
        "keep": ["no", "de"],
        "at": "12:30",
        "mode": "off",
        "port": 10,
        "rate": 1000.0,
        "yes": True,
    }
    assert read_yaml("since: 2024-01-02") == {"since": dt.date(2024, 1, 2)}
    assert read_yaml("") is None
    assert read_yaml("base: &b {k: 5, size: 1}\nother: {<<: *b, size: 2}") == {
        "base": {"k": 5, "size": 1},
        "other": {"k": 5, "size": 2},
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\nb: {c: 2, c: 3}", "the key 'c' stands here twice, in line 2, column 11"),
        ("1: a\n1: b", "the key 1 stands here twice, in line 2, column 1"),
        ("a: [1", "expected ',' or ']', but got '<stream end>', in line 1, column 6"),
        ("{{x}}: 1", "found unhashable key, in line 1, column 2"),
        ("? [a]\n: 1", "found unhashable key, in line 1, column 3"),
        ("a: *b", "found undefined alias 'b', in line 1, column 4"),
        ("a: !!python/object:os.system x", "python/object:os.system', in line 1, column 4"),
        ("a: 1\n---\nb: 2", "but found another document, in line 2, column 1"),
        ("a: 2024-13-45", "month must be in 1..12"),
        ("a: \x00", "unacceptable character #x0000"),
        ("[" * 5000, "it is nested too deeply"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, says: str) -> None:
    with pytest.raises(NoYaml) as caught:
        read_yaml(text)
    assert says in str(caught.value)
    with pytest.raises(ConfigError) as told:
        parsed(Path("file.yaml"), text, "a cause")
    assert str(told.value) == f"file.yaml: not valid YAML: {caught.value} (a cause)"


@given(VALUES)
@example(
    ["1e3", "0o10", "yes", "12:30", "~", "\x85", "a\u2028b", "bell\x07\nx", " \nx \n", "\ufeffx"]
)
@example({"<<": {"a": 1}, "=": "="})
def test_what_is_written_is_read_back(value: Any) -> None:
    assert read_yaml(write_yaml(value)) == value


def test_a_file_of_endless_bytes_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    with file.open("wb") as open_file:
        open_file.truncate(10_000_001)
    with pytest.raises(ConfigError, match="more than 10,000,000 bytes"):
        text_of(file, "a config file")


def test_a_file_that_is_nearly_named_right_is_meant(tmp_path: Path) -> None:
    names = [f"{name}.yaml" for name in ("alerts", "app", "evaluate", "feedback", "handbook")]
    for name in (*names, "maintain.yaml"):
        (tmp_path / name).touch()
    shown = f"here are: {', '.join(str(tmp_path / name) for name in names)}, …"
    for name in ("maintain.yml", "maintain", "maintan.yaml"):
        with pytest.raises(ConfigError) as caught:
            text_of(tmp_path / name, "a config file")
        meant = f"did you mean {tmp_path / 'maintain.yaml'}? {shown}"
        assert caught.value.hint == meant, name
    with pytest.raises(ConfigError) as caught:
        text_of(tmp_path / "zebra.yaml", "a config file")
    assert caught.value.hint == shown
