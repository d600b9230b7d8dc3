"""From a file to the form and back, and what is written in the end."""

from pathlib import Path
from typing import Any

import pytest

from llmops.configs.serve import BuildSettings
from llmops.deployments.app.page.drafts import ConfigDraft, new, offered_name, opened, submitted
from llmops.deployments.app.page.saving import masked, previewed, saved
from llmops.deployments.app.page.workplace import Workplace
from llmops.tasks.errors import UsageError
from llmops.tasks.retrieval.golden import read_golden
from llmops.tasks.yaml_files import read_yaml

TEXT = """\
flow: index
knowledge_base: handbook  # ours
sources:
  - {name: files, path: docs, labels: [hr]}  # what HR writes
embed: hash
schedule: {cron: "0 3 * * *"}
"""


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    (tmp_path / "docs").mkdir()
    (tmp_path / "handbook.yaml").write_text(TEXT)
    return Workplace(tmp_path, tmp_path / "home", BuildSettings(), given=True)


def fields_of(draft: ConfigDraft) -> dict[str, str]:
    """What a browser sends of a form that nobody has touched."""
    found = {"knowledge_base": draft.knowledge_base}
    for key in ("sources", "clean"):
        for number, item in enumerate(getattr(draft, key)):
            place = "" if item.place is None else str(item.place)
            found |= {f"{key}.{number}.name": item.name, f"{key}.{number}.was": place}
            found |= {f"{key}.{number}.{name}": text for name, text in item.inputs.items()}
    for key in ("chunk", "embed"):
        item = getattr(draft, key)
        found |= {f"{key}.name": item.name}
        found |= {f"{key}.{name}": text for name, text in item.inputs.items()}
    return found


def sent(place: Workplace, **changes: str) -> ConfigDraft:
    content = place.read("handbook.yaml").content
    fields = fields_of(opened("handbook.yaml", content)) | {
        key.replace("__", "."): value for key, value in changes.items()
    }
    return submitted(fields, "handbook.yaml", content)


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("Office guide", "office-guide"),
        ("  Über_uns! ", "uber-uns"),
        ("2024 plan", "plan"),
        ("handbook", "handbook"),
        ("手册", "手册"),
        ("", ""),
    ],
)
def test_a_name_is_offered_as_it_may_be(typed: str, offered: str) -> None:
    assert offered_name(typed) == offered


def test_a_file_that_nobody_changes_stays_as_it_is(place: Workplace) -> None:
    preview = previewed(place, sent(place), TEXT, ())
    assert (preview.text, preview.lost, preview.mistakes) == (TEXT, (), ())


def test_a_change_is_that_change_alone(place: Workplace) -> None:
    preview = previewed(place, sent(place, chunk__size="300"), TEXT, ())
    assert preview.mistakes == ()
    assert preview.text == TEXT + "chunk: {name: sentence, size: 300}\n"
    saved(place, preview, place.read("handbook.yaml").digest)
    assert (place.folder / "handbook.yaml").read_text() == preview.text


@pytest.mark.parametrize(
    ("changes", "where", "says"),
    [
        ({"chunk__size": "many"}, "chunk.size", "valid integer"),
        ({"chunk__size": "9999"}, "chunk.size", "less than or equal to 8192"),
        ({"sources__0__path": "nowhere"}, "sources[0]", "does not exist"),
        ({"sources__0__path": "../.."}, "sources[0].path", "outside"),
        ({"sources__0__labels": ""}, "sources[0].labels", "closes these documents"),
        ({"embed__name": "openai"}, "embed", "model"),
        ({"golden__0__question": "Why?", "golden__0__uri": ""}, "golden[0].uri", "document"),
    ],
)
def test_mistakes_stand_at_their_fields(
    place: Workplace, changes: dict[str, str], where: str, says: str
) -> None:
    (found,) = previewed(place, sent(place, **changes), TEXT, ()).mistakes
    assert found.where.startswith(where)
    assert says in f"{found.message} {found.hint}"


def test_whoever_holds_the_label_may_open_the_documents(place: Workplace) -> None:
    preview = previewed(place, sent(place, sources__0__labels=""), TEXT, ["hr"])
    assert preview.mistakes == ()
    assert "labels" not in preview.text


def test_what_the_file_has_had_all_along_may_stay(place: Workplace, tmp_path: Path) -> None:
    theirs = TEXT.replace("path: docs", f"path: {tmp_path.parent}")
    (tmp_path / "handbook.yaml").write_text(theirs)
    assert previewed(place, sent(place, chunk__size="100"), theirs, ()).mistakes == ()


def test_a_file_that_was_changed_meanwhile_is_not_overwritten(place: Workplace) -> None:
    preview = previewed(place, sent(place, chunk__size="300"), TEXT, ())
    before = place.read("handbook.yaml").digest
    (place.folder / "handbook.yaml").write_text(TEXT + "# mine\n")
    with pytest.raises(UsageError, match="changed meanwhile"):
        saved(place, preview, before)
    assert (place.folder / "handbook.yaml").read_text().endswith("# mine\n")


def test_a_new_config_says_only_what_was_chosen(place: Workplace) -> None:
    (place.folder / "uploads" / "guide").mkdir(parents=True)
    fields = fields_of(new("guide", "uploads/guide")) | {"embed.name": "hash"}
    draft = submitted(fields, "", {})
    preview = previewed(place, draft, "", ())
    assert preview.mistakes == ()
    assert preview.text == (
        "flow: index\nknowledge_base: guide\nsources:\n"
        "  - {name: files, path: uploads/guide}\nembed: hash\n"
    )
    assert saved(place, preview, "") == "guide.yaml"
    again = previewed(place, draft, "", ()).mistakes
    assert [each.where for each in again] == ["knowledge_base"]


@pytest.mark.parametrize("name", ["../evil", "a/b", "Handbook", "a.yaml\n", "", "x" * 70])
def test_the_name_of_a_knowledge_base_is_no_path(place: Workplace, name: str) -> None:
    fields = fields_of(new("guide", "docs")) | {"knowledge_base": name}
    preview = previewed(place, submitted(fields, "", {}), "", ())
    assert "knowledge_base" in {each.where for each in preview.mistakes}


def test_buttons_add_remove_and_move(place: Workplace) -> None:
    draft = sent(place)
    assert [item.name for item in draft.acted("add-sources:web").sources] == ["files", "web"]
    assert draft.acted("remove-sources.0").sources == ()
    assert [item.name for item in draft.acted("up-clean.1").clean] == ["whitespace", "unicode"]
    for odd in ("up-clean.9", "add-sources", "drop-everything", "remove-chunk.0", ""):
        assert draft.acted(odd) == draft


def test_golden_questions_are_added_once(place: Workplace) -> None:
    asked = {"golden__0__question": "Who?", "golden__0__uri": "a.md"}
    preview = previewed(place, sent(place, **asked), TEXT, ())
    assert preview.mistakes == ()
    saved(place, preview, place.read("handbook.yaml").digest)
    config = place.read("handbook.yaml")
    assert config.content["gate"] == {"golden": "golden/handbook.jsonl"}
    draft = submitted(
        fields_of(opened("handbook.yaml", config.content))
        | {"golden.0.question": "Who?", "golden.0.uri": "a.md"}
        | {"golden.1.question": "When?", "golden.1.uri": "b.md"},
        "handbook.yaml",
        config.content,
    )
    saved(place, previewed(place, draft, config.text, ()), config.digest)
    questions = read_golden(place.folder / "golden" / "handbook.jsonl").questions
    assert [each.question for each in questions] == ["Who?", "When?"]


def test_a_golden_set_elsewhere_is_not_written(place: Workplace) -> None:
    theirs = TEXT + "gate: {golden: ../../golden.jsonl}\n"
    content: Any = read_yaml(theirs)
    fields = fields_of(opened("handbook.yaml", content))
    draft = submitted(
        fields | {"golden.0.question": "Who?", "golden.0.uri": "a.md"}, "handbook.yaml", content
    )
    (found,) = previewed(place, draft, theirs, ()).mistakes
    assert found.where == "golden"


def test_secrets_that_stand_in_a_file_are_shown_to_nobody() -> None:
    text = """\
flow: index
sources:
  - name: web
    start: [https://a.example/]
    headers: {Authorization: Bearer-abc}
  - {name: git, repository: "https://me:hunter2@git.example/x.git"}
embed: {name: openai, model: m, api_key: sk-plain}  # sk is short
store: {name: weaviate, api_key: "${LLMOPS_WEAVIATE}"}
"""
    seen = masked(text)
    assert [each for each in ("Bearer-abc", "hunter2", "sk-plain") if each in seen] == []
    assert "${LLMOPS_WEAVIATE}" in seen
    assert "https://a.example/" in seen
    assert "# sk is short" in seen


def test_only_configs_of_the_project_are_opened(place: Workplace, tmp_path: Path) -> None:
    (tmp_path / "serve.yaml").write_text("flow: serve\napp: x\nknowledge_bases: [a]\n")
    (tmp_path / "data.yaml").write_text("password: x\n")
    assert [each.file for each in place.configs()] == ["handbook.yaml"]
    for file in (
        "serve.yaml",
        "data.yaml",
        "../other.yaml",
        "/etc/passwd",
        "docs/../handbook.yaml",
    ):
        with pytest.raises(UsageError, match="no such config"):
            place.config(file)
