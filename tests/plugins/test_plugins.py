"""The one mechanism of all families: names, options, secrets, missing libraries, and plugins of
other people.
"""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import ValidationError

from llmops.tasks.errors import ConfigError
from llmops.tasks.plugins import Plugin, Spec, digest, find, names, reveal
from llmops.tasks.plugins.chunkers import Chunker
from llmops.tasks.plugins.cleaners import Cleaner
from llmops.tasks.plugins.embedders import Embedder


class Needy(Cleaner):
    """Needs something that nobody has."""

    requires: ClassVar[Mapping[str, str]] = {
        "a_module_that_is_not_there": "pip install the-missing-one"
    }

    def clean(self, text: str) -> str:
        return text


def test_a_name_finds_one_file_and_its_fields_are_the_options() -> None:
    chunker = Spec.model_validate({"name": "sentence", "size": 50}).build(Chunker)
    assert (type(chunker).__module__, chunker.size) == (
        "llmops.tasks.plugins.chunkers.sentence",
        50,
    )
    with pytest.raises(ValidationError, match="frozen"):
        setattr(chunker, "size", 3)  # noqa: B010 - mypy knows that it is frozen


def test_a_spec_has_a_short_form_and_keeps_its_secrets_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert Spec.model_validate("hash") == Spec(name="hash")
    assert Spec.model_validate({"name": "hash", "x": 1}).short() == {"name": "hash", "x": 1}
    monkeypatch.setenv("SOME_KEY", "opened")
    spec = Spec.model_validate(
        {"name": "any", "api_key": "Bearer ${SOME_KEY}", "deep": [{"x": "${SOME_KEY}"}]}
    )
    assert reveal(spec.options) == {"api_key": "Bearer opened", "deep": [{"x": "opened"}]}
    assert "opened" not in spec.model_dump_json()


def test_all_missing_secrets_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_KEY", "SECOND_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError) as caught:
        reveal("${FIRST_KEY}:${SECOND_KEY}")
    assert [one.message for one in caught.value.found] == [
        "the environment variable FIRST_KEY is not set",
        "the environment variable SECOND_KEY is not set",
    ]


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="did you mean hash") as caught:
        find("embedders", "hahs")
    assert "hash, llamaindex, minilm" in str(caught.value)


def test_a_missing_library_names_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("llmops.tasks.plugins.load", lambda family, name: Needy)
    with pytest.raises(ConfigError, match="pip install the-missing-one"):
        find.__wrapped__("cleaners", "unicode")


def test_a_plugin_of_another_family_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown name 'sentence' among the embedders"):
        Spec(name="sentence").build(Embedder)


def test_a_fingerprint_follows_options_and_revision() -> None:
    one, two = (
        Spec(name="sentence").build(Chunker),
        Spec(name="sentence", options={"size": 60}).build(Chunker),
    )
    assert one.fingerprint() == Spec(name="sentence").build(Chunker).fingerprint()
    assert one.fingerprint() != two.fingerprint()
    assert digest("ab", "c") != digest("a", "bc")


def test_importing_one_plugin_imports_no_other() -> None:
    code = (
        "import sys; from llmops.tasks.plugins import find; find('chunkers', 'sentence');"
        "print([m for m in sys.modules if m in ('llmops.tasks.plugins.chunkers.fixed', "
        "'lancedb', 'prefect', 'mlflow', 'onnxruntime', 'xberg')])"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )


@pytest.mark.slow
def test_a_package_of_a_third_party_adds_a_plugin(tmp_path: Path) -> None:
    package = Path(__file__).parents[1] / "third_party"
    build = "from hatchling.build import build_wheel; import sys; print(build_wheel(sys.argv[1]))"
    wheel = subprocess.run(
        [sys.executable, "-c", build, str(tmp_path)],
        cwd=package,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    unpack = (
        f"import zipfile; "
        f"zipfile.ZipFile({str(tmp_path / wheel.splitlines()[-1])!r}).extractall({str(tmp_path / 'site')!r})"  # noqa: E501
    )
    subprocess.run([sys.executable, "-c", unpack], check=True)
    use = (
        "from llmops.tasks.plugins import Spec, names; from llmops.tasks.plugins.cleaners "
        "import Cleaner;"
        "print('shout' in names('cleaners'), Spec(name='shout', options={'mark': "
        "'?'}).build(Cleaner).clean('hello'))"
    )
    found = subprocess.run(
        [sys.executable, "-c", use],
        env={"PYTHONPATH": f"{tmp_path / 'site'}:{Path(__file__).parents[2]}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout.strip() == "True HELLO?", found.stderr


def test_every_family_has_a_plugin_that_needs_nothing() -> None:
    needs_nothing = {
        "sources": "topics",
        "parsers": "text",
        "cleaners": "unicode",
        "chunkers": "sentence",
        "embedders": "hash",
        "stores": "lancedb",
    }
    for family, name in needs_nothing.items():
        assert issubclass(find(family, name), Plugin)
        assert name in names(family)
