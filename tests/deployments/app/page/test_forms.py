"""Forms from the fields of plugins, and what is typed into them."""

from typing import Any

import pytest

from llmops.deployments.app.page.forms import chosen, form_of, typed
from llmops.tasks.plugins import Spec, names
from llmops.tasks.plugins.chunkers import Chunker
from llmops.tasks.plugins.embedders import Embedder


@pytest.mark.parametrize(
    ("plugin", "field", "said"),
    [
        ("chunkers/sentence", "size", ("integer", "200", 8, 8192, False, False)),
        ("chunkers/semantic", "least", ("number", "0.35", 0, 0.5, False, False)),
        ("cleaners/links", "policy", ("choice", "keep_text", None, None, False, False)),
        ("cleaners/near_duplicates", "record", ("yes_no", "yes", None, None, False, False)),
        ("cleaners/language", "keep", ("lines", "", None, None, True, False)),
        ("embedders/openai", "api_key", ("secret", "", None, None, False, False)),
        ("sources/dify", "api_key", ("secret", "", None, None, True, False)),
        ("sources/files", "path", ("text", "", None, None, True, False)),
        ("sources/web", "start", ("lines", "", None, None, False, False)),
        ("sources/web", "retries", ("integer", "3", 0, 20, False, True)),
        ("sources/jsonl", "fields", ("yaml", "", None, None, False, True)),
        ("chunkers/qa", "llm", ("yaml", "", None, None, False, True)),
        ("embedders/costly", "bill", ("path", "", None, None, True, False)),
        ("embedders/costly", "poison", ("text", "POISON", None, None, False, False)),
        ("embedders/costly", "down", ("yes_no", "no", None, None, False, False)),
        ("sources/memory", "documents", ("yaml", "", None, None, False, False)),
    ],
)
def test_a_field_says_what_it_takes(plugin: str, field: str, said: tuple[Any, ...]) -> None:
    """The last ones are of a third party's package."""
    found = form_of(*plugin.split("/")).field(field)
    assert found is not None
    assert (
        *(found.kind, found.default, found.least, found.most),
        *(found.required, found.further),
    ) == said


@pytest.mark.parametrize("family", ["sources", "cleaners", "chunkers", "embedders"])
def test_every_plugin_has_a_form_and_says_what_it_is(family: str) -> None:
    forms = [form_of(family, name) for name in names(family)]
    assert [form.name for form in forms if not form.missing and not form.about] == []
    assert [form.name for form in forms if not any(f.required for f in form.fields)]


def test_required_fields_come_first_and_what_may_hold_secrets_is_not_there() -> None:
    fields = form_of("sources", "web").fields
    assert "headers" not in {field.name for field in fields}
    assert [field.further for field in fields] == sorted(field.further for field in fields)
    assert form_of("embedders", "openai").fields[0].name == "model"


@pytest.mark.parametrize(
    ("plugin", "given", "options"),
    [
        ("chunkers/sentence", {"size": "300", "overlap": "20"}, {"size": 300}),
        ("chunkers/sentence", {"size": "", "overlap": " "}, {}),
        ("cleaners/boilerplate", {"share": "0.25"}, {"share": 0.25}),
        ("cleaners/near_duplicates", {"record": "no"}, {"record": False}),
        ("cleaners/language", {"keep": "en\r\n\r\n fa "}, {"keep": ["en", "fa"]}),
        ("sources/jsonl", {"fields": "{uri: id}"}, {"fields": {"uri": "id"}}),
        ("embedders/openai", {"api_key": "LLMOPS_MODEL_KEY"}, {"api_key": "${LLMOPS_MODEL_KEY}"}),
        ("chunkers/sentence", {"size": "many", "unknown": "x"}, {"size": "many"}),
    ],
)
def test_what_is_typed_becomes_options(
    plugin: str, given: dict[str, str], options: dict[str, Any]
) -> None:
    form = form_of(*plugin.split("/"))
    assert chosen(form, given) == (options, [])
    if "unknown" not in given:
        assert chosen(form, typed(form, options)) == (options, [])


def test_a_third_party_s_plugin_is_built_from_its_form() -> None:
    found = chosen(form_of("embedders", "costly"), {"bill": "bill.jsonl", "down": "yes"})
    built = Spec(name="costly", options=found.options).build(Embedder)
    assert built.model_dump(mode="json") == {"bill": "bill.jsonl", "poison": "POISON", "down": True}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("sk-1234567890", "a name such as LLMOPS_SEARCH_KEY is wanted"),
        ("AWS_SECRET_ACCESS_KEY", "a name such as LLMOPS_"),
        ("LLMOPS_LEDGER_URL", "the application's own"),
        ("LLMOPS_SECRET_0A1B2C3D", "the application's own"),
        ("LLMOPS_A}${HOME", "a name such as LLMOPS_"),
    ],
)
def test_secrets_are_named_and_never_typed(text: str, why: str) -> None:
    found = chosen(form_of("embedders", "openai"), {"model": "m", "api_key": text})
    assert found.options == {"model": "m"}
    assert [(each.where, why in each.message) for each in found.mistakes] == [("api_key", True)]


def test_what_the_file_has_and_the_form_does_not_show_stays() -> None:
    form = form_of("embedders", "openai")
    before = {"model": "m", "api_key": "sk-plain"}
    assert typed(form, before)["api_key"] == ""
    assert chosen(form, {"model": "n"}, before).options == {"model": "n", "api_key": "sk-plain"}
    theirs = {"model": "m", "api_key": "${OPENAI_API_KEY}"}
    assert typed(form, theirs)["api_key"] == "OPENAI_API_KEY"
    assert chosen(form, {"model": "m", "api_key": "OPENAI_API_KEY"}, theirs).options == theirs
    web = {"start": ["https://a.example/"], "headers": {"Authorization": "secret"}}
    kept = chosen(form_of("sources", "web"), {"start": "https://b.example/"}, web).options
    assert kept == {"start": ["https://b.example/"], "headers": web["headers"]}
    git = {"repository": "https://me:pw@git.example/x.git"}
    form = form_of("sources", "git")
    assert typed(form, git)["repository"] == ""
    assert chosen(form, {"repository": ""}, git).options == git


def test_yaml_that_is_none_is_a_mistake_of_its_field() -> None:
    found = chosen(form_of("sources", "jsonl"), {"path": "a", "fields": "{a: ["})
    assert [each.where for each in found.mistakes] == ["fields"]
    assert Spec(name="sentence").build(Chunker).size == 200
