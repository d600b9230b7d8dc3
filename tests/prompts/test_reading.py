"""Prompt files: every mistake at once, each with its file and key; what is written is read back
with the same hash.
"""

import contextlib
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.tasks.errors import ConfigError
from llmops.tasks.prompts import Prompt
from llmops.tasks.prompts.reading import prompt_files, read_prompt, read_prompts
from llmops.tasks.prompts.writing import to_yaml

GOOD = """
name: helpdesk
messages:
  - {role: system, content: "From these passages only.\\n{{passages}}"}
  - {role: user, content: "{{question}}"}
"""
BAD = """
name: "..."
mesages: []
messages:
  - {role: sytem, content: "{{a.b}} {{ x }"}
  - {role: user, content: "{% if a %} {{question}} {{lost}}"}
  - {role: user, contents: 3}
  - {role: user, content: ""}
variables: {unused: {}, question: {type: number, default: x, foo: 1}, other: {type: strng}}
model: {temperature: 3, max_token: 4, stop: [], model: gpt, seed: true}
output: {type: objekt}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "p.yaml"


def mistakes(file: Path, text: str | bytes) -> list[str]:
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(ConfigError) as raised:
        read_prompt(file)
    return [str(one).replace(str(file), "FILE") for one in raised.value.found]


def test_a_prompt_is_read(file: Path) -> None:
    file.write_text(GOOD)
    assert read_prompt(file).names == ("passages", "question")


def test_every_mistake_is_told_at_once_with_its_key(file: Path) -> None:
    found = mistakes(file, BAD)
    for says in (
        "FILE: name: '...' is no name",
        "FILE: mesages: unknown key 'mesages' (did you mean messages?",
        "FILE: messages[0].role: allowed: 'system', 'user' or 'assistant', got 'sytem'",
        "FILE: messages[0].content: '{{a.b}}' is no placeholder",
        "FILE: messages[0].content: '{{ x }' is no placeholder",
        "FILE: messages[1].content: '{% if a %}' is a block of Jinja",
        "FILE: messages[1].content: {{lost}} is used, but not among the variables",
        "FILE: messages[2].content: the key 'content' is missing",
        "FILE: messages[2].contents: unknown key 'contents' (did you mean content?",
        "FILE: messages[3].content: it is empty",
        "FILE: variables.unused: declared, but no message uses it",
        "FILE: variables.question.default: 'x' is a string, a number is wanted",
        "FILE: variables.question.foo: unknown key 'foo'",
        "FILE: variables.other.type: allowed: 'string', 'number'",
        "FILE: model.temperature: input should be less than or equal to 2, got 3",
        "FILE: model.max_token: unknown setting 'max_token' (did you mean max_tokens?)",
        "FILE: model.stop: input should be a text, or a list of one to four texts, got []",
        "FILE: model.model: unknown setting 'model' (which model answers",
        "FILE: model.seed: input should be a valid integer, got True",
        "FILE: output.type: not a valid JSON schema: 'objekt'",
    ):
        assert any(one.startswith(says) for one in found), (says, found)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "FILE: the file is empty"),
        ("- 1", "got a list"),
        ("a: 1\na: 2", "the key 'a' stands here twice, in line 2, column 1"),
        ("name: {{x}}", "a text that begins with {{ stands in quotes"),
        ("a: 2024-13-45", "not valid YAML"),
        ("a: [", "not valid YAML"),
        (b"a: \xff", "not UTF-8"),
        (
            "name: n\nmessages: [{role: user, content: 2024-01-01}]",
            "is a date, which JSON does not have",
        ),
        (
            "name: n\nmessages: [{role: user, content: x}]\nmodel: {logit_bias: {5: 1}}",
            "model.logit_bias: the key 5 is an integer",
        ),
        ('name: n\nmessages: [{role: user, content: "\\ud800"}]', "half a character"),
        ("name: n\nmessages: []", "messages: it is empty"),
        (
            "name: n\nmessages: [{role: user, content: x}]\noutput: {}",
            "output: an empty schema allows everything",
        ),
        (
            "name: n/m\nmessages: [{role: user, content: x}]",
            "name: letters, digits, _ . and - are allowed, at most 200 of them, got 'n/m'",
        ),
        ("name: n\nmessages: hello", "messages: "),
        ("name: n\nmessages: [{role: user, content: x}]\nmodel: [1]", "model: "),
        (
            "name: n\nmessages: [{role: user, content: x}]\nvariables: {}\ntools: []",
            "tools: unknown key",
        ),
        ("messages: [{role: user, content: x}]", "name: the key 'name' is missing"),
    ],
)
def test_files_that_are_none(file: Path, text: str | bytes, says: str) -> None:
    found = mistakes(file, text)
    assert any(says in one for one in found), found


def test_references_of_yaml_cannot_blow_up(file: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"] + [
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)
    ]
    assert any("more than 20,000 values" in one for one in mistakes(file, "\n".join(lines)))


def test_files_that_are_not_there_or_too_large(file: Path, tmp_path: Path) -> None:
    (tmp_path / "helpdesk.yaml").write_text(GOOD)
    with pytest.raises(ConfigError, match=r"no such file \(here are: helpdesk.yaml\)"):
        read_prompt(file)
    with pytest.raises(ConfigError, match="this is a folder"):
        read_prompt(tmp_path)
    assert "more than 1,000,000 bytes" in mistakes(file, "a" * 1_000_001)[0]


def test_a_folder_gives_its_prompts_and_the_mistakes_of_all_of_them(tmp_path: Path) -> None:
    texts = {
        "a.yaml": GOOD,
        "deep/b.yml": GOOD,
        ".hidden/c.yaml": "messages: [",
        "other.yaml": "flow: index",
        "helm.yaml": "x: {{ y",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert [file.name for file in prompt_files(tmp_path)] == ["a.yaml", "b.yml"]
    assert [file.name for file in prompt_files(tmp_path, deep=False)] == ["a.yaml"]
    (tmp_path / "d.yaml").write_text("messages: [")
    (tmp_path / "e.yaml").write_text("name: x\nmessages: []")
    with pytest.raises(ConfigError) as raised:
        read_prompts(
            [tmp_path / "a.yaml", tmp_path / "e.yaml", tmp_path / "deep", tmp_path / "nope.yaml"]
        )
    assert [Path(one.where.split(":")[0]).name for one in raised.value.found] == [
        "e.yaml",
        "nope.yaml",
    ]
    with pytest.raises(ConfigError, match=r"d\.yaml: not valid YAML"):
        read_prompts([tmp_path])


TEXTS = st.text(
    alphabet=st.characters(codec="utf-8", exclude_characters="{\0"), min_size=1, max_size=60
)


@pytest.mark.slow
@settings(deadline=None)
@given(
    texts=st.lists(TEXTS, min_size=1, max_size=3),
    temperature=st.floats(0, 2),
    stop=st.lists(TEXTS, min_size=1, max_size=4),
)
def test_what_is_written_is_read_back_with_the_same_hash(
    texts: list[str], temperature: float, stop: list[str], tmp_path_factory: Any
) -> None:
    whole = Prompt.model_validate(
        {
            "name": "p",
            "messages": [{"role": "user", "content": text + " {{a}} {{{{b}}}}"} for text in texts],
            "variables": {"a": {"type": "list", "default": texts}},
            "model": {"temperature": temperature, "stop": stop},
            "output": {"type": "object", "description": texts[0]},
            "description": stop[0],
        }
    )
    file = tmp_path_factory.getbasetemp() / "roundtrip.yaml"
    file.write_text(to_yaml(whole), encoding="utf-8", newline="\n")
    assert read_prompt(file) == whole
    assert read_prompt(file).sha256 == whole.sha256


def test_texts_of_several_lines_stand_as_blocks() -> None:
    written = to_yaml(
        Prompt.model_validate(
            {"name": "p", "messages": [{"role": "user", "content": "one\ntwo {{a}}"}]}
        )
    )
    assert written == "name: p\nmessages:\n- role: user\n  content: |-\n    one\n    two {{a}}\n"


def test_a_file_that_comes_and_goes_is_read_or_missing(file: Path) -> None:
    """As editors save: away and back, between any two looks at it."""
    end = threading.Event()

    def save() -> None:
        while not end.is_set():
            file.write_text(GOOD)
            file.unlink()

    saving = threading.Thread(target=save)
    saving.start()
    try:
        seen: set[str] = set()
        for _ in range(2000):
            with contextlib.suppress(ConfigError):
                seen.add(read_prompt(file).name)
    finally:
        end.set()
        saving.join()
    assert seen <= {"helpdesk"}
