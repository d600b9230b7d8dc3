"""Training from the tab *Review*, without a browser: who may, what is offered, what a plan and a
training are told as, and that there are never two at once.
"""

import html
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from llmops.deployments.app.jobs import BuildJob, JobKind
from llmops.deployments.app.page.texts import LANGUAGES
from llmops.tasks.filters.metadata import MetadataSchema
from tests.chat.apps import BASE, copied
from tests.deployments.app.apps import App, Listening, application
from tests.deployments.app.page.pages import Visitor
from tests.workshop import Workshop

HERE = "/review/training"
EVIL = "<script>alert(1)</script>"
CONFIG = """\
flow: finetune
name: lessons
collect: [{name: reviews, queue: guide}, {name: jsonl, path: rows.jsonl}]
train: {name: retrieval, knowledge_base: towers, feedback: guide}
"""
PLANNED = {
    "flow": "finetune",
    "status": "planned",
    "rows": {"collected": 123},
    "sources": {"reviews": 120, "jsonl": 3},
    "training": {"knowledge_base": BASE, "status": "planned", "labels": {"usable": 77}},
}


def trained(status: str, **more: Any) -> dict[str, Any]:
    gain = {"before": 0.6, "after": 0.65, "difference": 0.05, "interval": [0.01, 0.09]}
    figures = {"served": gain, "first": [0.5, 0.58], "better": 30, "worse": 7, "same": 40}
    worst = [{"question": f"Who pays? {EVIL}", "lost": 0.4, "expected": ["a"], "got": ["b"]}]
    told = {
        "knowledge_base": BASE,
        "status": status,
        "reason": "the measured reason",
        "labels": {"usable": 77},
        "figures": {**figures, "worst": worst, "tags": {"slow": -0.1, "fast": 0.2}},
        "links": {"mlflow": "http://127.0.0.1:5000/#/runs/2"},
        **more,
    }
    return {
        "flow": "finetune",
        "status": "published",
        "version": 4,
        "rows": {"collected": 123, "rejected": 3, "train": 100, "validation": 10, "test": 10},
        "links": {"mlflow": "javascript:alert(1)"},
        "training": told,
    }


def left(
    app: App | Listening, kind: JobKind, reply: object, pid: int = 2**22 + 1, began: int = 1
) -> None:
    """What a plan or a training leaves behind, or is while it runs."""
    place = app.towers.home / "builds" / "lessons" / kind
    place.mkdir(parents=True, exist_ok=True)
    started = psutil.Process(pid).create_time() if psutil.pid_exists(pid) else 1.0
    job = BuildJob(
        name="lessons",
        kind=kind,
        config=str(app.towers.folder.resolve() / "lessons.yaml"),
        pid=pid,
        process_started=started,
        began=f"2026-01-01T00:00:{began:02}+00:00",
    )
    (place / "job.json").write_text(job.model_dump_json())
    (place / "reply.json").write_text(json.dumps(reply) if reply else "")
    (place / "log").write_text("")


@pytest.fixture
def lessons(shelf: Workshop, tmp_path: Path) -> Iterator[App]:
    towers = copied(shelf, tmp_path)
    (towers.folder / "lessons.yaml").write_text(CONFIG)
    with application(towers) as found:
        yield found


def someone(app: App, name: str = "anna", **key: Any) -> Visitor:
    visitor = Visitor(app)
    visitor.sign_in(key=app.key(name, **key) if key else "")
    return visitor


def text(visitor: Visitor, path: str = HERE) -> str:
    shown = visitor.get(path)
    assert shown.status_code == 200, shown.text
    return html.unescape(shown.text)


def test_who_may_not_train_gets_no_door_and_none_by_force(shelf: Workshop, tmp_path: Path) -> None:
    towers = copied(shelf, tmp_path)
    (towers.folder / "lessons.yaml").write_text(CONFIG)
    with application(towers, keys={"required": True}) as app:
        left(app, "train", trained("promoted"))
        scopes = ["ask", "search", "feedback"]
        some = {"viewer": scopes, "reviewer": scopes, "editor": [*scopes, "admin"]}
        for role, mine in some.items():
            visitor = someone(app, role, role=role, scopes=mine)
            assert HERE not in visitor.get("/review").text
            for path in (
                HERE,
                f"{HERE}/state?file=lessons.yaml",
                f"{HERE}/",
                "/review/%74raining",
            ):
                refused = visitor.get(path)
                assert refused.status_code in (403, 404), (role, path)
                assert "lessons" not in refused.text
            for path in ("run", "open", "starter"):
                asked = {"file": "lessons.yaml", "do": "train"}
                assert visitor.post(f"{HERE}/{path}", asked).status_code == 403
        narrow = someone(app, "narrow", role="operator", scopes=["ask", "feedback"])
        assert narrow.post(f"{HERE}/open").status_code == 403
        operator = someone(app, "o", role="operator", scopes=[*scopes, "admin"])
        assert f"{HERE}/open" in operator.get("/review").text
        foreign = {"origin": "http://evil.example", "sec-fetch-site": "cross-site"}
        asked = {"file": "lessons.yaml", "do": "plan"}
        assert operator.post(f"{HERE}/run", asked, **foreign).status_code == 403
        assert operator.get(HERE).status_code == 200
        assert not (towers.home / "builds" / "lessons" / "train-plan").exists()


def test_only_configs_that_collect_from_this_application_are_run(lessons: App) -> None:
    anna, folder = someone(lessons), lessons.towers.folder
    (folder / "theirs.yaml").write_text(CONFIG.replace("guide", "other"))
    for file in ("theirs.yaml", "../lessons.yaml", "/etc/passwd", "", "\0"):
        for do in ("plan", "train"):
            assert anna.post(f"{HERE}/run", {"file": file, "do": do}).status_code == 404, file
    assert anna.post(f"{HERE}/run", {"file": "lessons.yaml", "do": "x"}).status_code == 400
    assert "theirs.yaml" not in text(anna)
    (folder / "more.yaml").write_text(CONFIG.replace("lessons", "more"))
    listed = text(anna)
    assert ("file=lessons.yaml" in listed, "file=more.yaml" in listed) == (True, True)
    assert anna.post(f"{HERE}/open").headers["location"] == HERE


def test_where_there_is_none_one_is_offered_and_written(shelf: Workshop, tmp_path: Path) -> None:
    from llmops.configs.finetune import FinetuneConfig
    from llmops.configs.reading import read

    towers = copied(shelf, tmp_path)
    folder = towers.folder
    case = '{"id": "a", "inputs": {"question": "Who?"}, "expected": {"answer": "x"}}\n'
    for name, line in (("cases.jsonl", case), ("made.jsonl", case), ("broken.jsonl", "{}\n")):
        (folder / name).write_text(line)
    cases = "[cases.jsonl, made.jsonl, broken.jsonl, absent.jsonl]"
    (folder / "e.yaml").write_text(f"flow: evaluate\nname: e\ncases: {cases}\n")
    (folder / "f.yaml").write_text("flow: feedback\napp: guide\nwrite: {cases: made.jsonl}\n")
    (folder / "finetune.yaml").write_text("flow: finetune\nname: other\ncollect: []\n")
    with application(towers) as app:
        anna = someone(app)
        assert "feedback: guide" in text(anna)
        assert not (folder / "finetune-guide.yaml").exists()
        moved = anna.post(f"{HERE}/starter")
        assert moved.headers["location"] == f"{HERE}?file=finetune-guide.yaml"
        config = read(folder / "finetune-guide.yaml", FinetuneConfig)
        assert [str(each) for each in config.decontaminate.against] == ["cases.jsonl"]
        assert config.train is not None
        assert config.train.options == {"knowledge_base": BASE, "feedback": "guide"}
        again = anna.post(f"{HERE}/starter")
        assert again.status_code == 409
        job = json.loads((towers.home / "builds" / "guide" / "train-plan" / "job.json").read_text())
        assert job["config"].endswith("finetune-guide.yaml")
        anna.post(f"{HERE}/run", {"file": "finetune-guide.yaml", "do": "stop"})


def test_a_plan_comes_before_the_training(lessons: App) -> None:
    anna = someone(lessons)
    assert 'value="train"' not in text(anna)
    left(lessons, "train-plan", PLANNED)
    shown = text(anna)
    assert 'value="train"' in shown
    for words in ("123", "77", "How towers ranks passages", "Free", "From reviews"):
        assert words in shown
    assert "At least 50" not in shown
    few = {**PLANNED["training"], "labels": {"usable": 12}}  # type: ignore[dict-item]
    left(lessons, "train-plan", {**PLANNED, "training": few})
    assert "At least 50" in text(anna)
    left(
        lessons,
        "train-plan",
        {"error": {"kind": "config", "message": "no", "hint": "", "where": ""}},
    )
    assert 'value="train"' not in text(anna)


def test_there_are_never_two_at_once(lessons: App) -> None:
    import os

    anna, asked = someone(lessons), {"file": "lessons.yaml"}
    left(lessons, "train", None, pid=os.getpid())
    for do in ("train", "plan"):
        shown = anna.post(f"{HERE}/run", {**asked, "do": do}, hx_request="true").text
        assert "It is under way already." in shown
        assert 'value="train"' not in shown
        assert 'hx-trigger="every 2s"' in shown


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("promoted", ("Better, and live", "larger than chance", "--rollback")),
        ("rejected", ("Not live", "no better than before")),
        ("inconclusive", ("may be chance", "too small to tell")),
    ],
)
def test_the_outcome_is_told_in_words(lessons: App, status: str, words: tuple[str, ...]) -> None:
    left(lessons, "train-plan", PLANNED)
    left(lessons, "train", trained(status), began=2)
    anna = someone(lessons)
    shown = text(anna)
    for each in (*words, "comes first for 58 of 100", "does for 50", "Better: 30. Worse: 7."):
        assert each in shown
    assert "On average worse: slow" in shown
    assert "the measured reason" in shown
    assert EVIL not in anna.get(HERE).text
    assert 'href="http://127.0.0.1:5000/#/runs/2"' in shown
    assert "javascript:" not in shown
    assert 'value="train"' not in shown, "that plan is spent"


def test_too_few_questions_and_a_model_are_told_apart(lessons: App) -> None:
    anna = someone(lessons)
    left(lessons, "train", trained("inconclusive", figures={}))
    assert "too few judged questions" in text(anna)
    assert 'class="ended right"' not in anna.get("/review/training").text, "green means success"
    model = {"status": "trained", "cost_usd": 1.5, "evaluation": "e.yaml", "knowledge_base": ""}
    left(lessons, "train", {**trained("x"), "training": model})
    assert "llmops evaluate e.yaml" in text(anna)
    left(lessons, "train", {**trained("x"), "status": "blocked", "reason": "nothing left"})
    assert "Nothing was left to train on." in text(anna)


def test_questions_of_others_are_for_whoever_may_see_all_documents(
    shelf: Workshop, tmp_path: Path
) -> None:
    towers = copied(shelf, tmp_path)
    (towers.folder / "lessons.yaml").write_text(CONFIG)
    towers.shop.facts = MetadataSchema.model_validate({"sources": {"memory": ["staff"]}})
    towers.shop.build({"a.txt": "A tower."})
    with application(towers, keys={"required": True}) as app:
        left(app, "train", trained("promoted"))
        rights: dict[str, Any] = {
            "role": "operator",
            "scopes": ["ask", "search", "feedback", "admin"],
        }
        assert "Who pays?" not in text(someone(app, **rights))
        assert "Who pays?" in text(someone(app, "staff", labels=["staff"], **rights))


@pytest.mark.parametrize("code", sorted(LANGUAGES))
def test_every_language_has_all_its_words(lessons: App, code: str) -> None:
    anna = someone(lessons)
    anna.cookies["llmops-language"] = code
    for reply in (trained("promoted"), trained("rejected"), trained("inconclusive", figures={})):
        left(lessons, "train", reply)
        left(lessons, "train-plan", PLANNED, began=2)
        assert f'lang="{LANGUAGES[code].tag}"' in text(anna)
