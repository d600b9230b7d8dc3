"""Files and curated answers as projections of the ledger."""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.tasks.access.keys import create
from llmops.tasks.audit.actor import acting_as
from llmops.tasks.audit.people import pseudonym
from llmops.tasks.chat import curated
from llmops.tasks.chat.curated import NewCurated
from llmops.tasks.datasets.project import Projected, ProjectSpec, project
from llmops.tasks.evaluation.cases import read_cases
from llmops.tasks.ledger import open_ledger
from llmops.tasks.retrieval.golden import Relevant, read_golden
from llmops.tasks.traces.deletion import delete_person
from tests.datasets.made import APP, PASSAGE, answered, delete, review, say

BETTER = "It is reset on the page of your account."
ELSEWHERE = "Somewhere quite different altogether, perhaps upstairs."


def spec(folder: Path, app: str = APP, **more: Any) -> ProjectSpec:
    given: dict[str, Any] = {
        "golden": folder / "golden.jsonl",
        "cases": folder / "cases.jsonl",
        "rows": folder / "rows.jsonl",
        "trust": "everybody",
    }
    return ProjectSpec(app=app, name=f"{app}-feedback", queue=app, **given | more)


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]


def statuses(projected: Projected) -> Mapping[str, str]:
    return {each.kind: each.status for each in projected.files}


def test_a_correction_is_a_question_a_case_a_pair_and_a_curated_answer(tmp_path: Path) -> None:
    trace = answered(tmp_path)
    say(tmp_path, trace.id, "down", BETTER, person="p1")
    projected = project(tmp_path, spec(tmp_path))
    assert projected.settled == {"bad": 1}
    lineage = {
        "trace_id": trace.id,
        "reviewers": ["p1"],
        "app": APP,
        "knowledge_base": "handbook",
        "version": 3,
        "prompt": "p@1",
        "model": "small",
    }
    (question,) = read_golden(tmp_path / "golden.jsonl").questions
    quote = "Your password is reset on the page of your account."
    assert question.relevant == (Relevant(uri="accounts.md", quote=quote),)
    assert question.answer == BETTER
    (case,) = read_cases(tmp_path / "cases.jsonl").cases
    assert case.expected == {"answer": BETTER, "uris": ["accounts.md"]}
    (row,) = rows(tmp_path, "rows")
    assert row["chosen"] == [{"role": "assistant", "content": BETTER}]
    assert row["rejected"] == [{"role": "assistant", "content": trace.answer}]
    assert PASSAGE in row["messages"][0]["content"]
    for name in ("golden", "cases", "rows"):
        assert rows(tmp_path, name)[0]["lineage"] == lineage
    (answer,) = curated.listed(tmp_path, APP)
    assert (answer.question, answer.answer, answer.labels, answer.trace_id) == (
        trace.question,
        BETTER,
        frozenset({"staff"}),
        trace.id,
    )


def test_a_correction_that_no_passage_supports_is_only_a_case_and_is_counted(
    tmp_path: Path,
) -> None:
    say(tmp_path, answered(tmp_path).id, "down", ELSEWHERE)
    projected = project(tmp_path, spec(tmp_path))
    assert projected.without_passages == 1
    assert rows(tmp_path, "golden") == []
    assert rows(tmp_path, "cases")[0]["expected"] == {"answer": ELSEWHERE}


def test_what_a_reviewer_ticked_is_what_is_relevant(tmp_path: Path) -> None:
    trace = answered(tmp_path)
    review(tmp_path, trace.id, "r1", "bad", ELSEWHERE, relevant=["desk.md", "a1"])
    project(tmp_path, spec(tmp_path))
    (question,) = read_golden(tmp_path / "golden.jsonl").questions
    assert [each.uri for each in question.relevant] == ["desk.md", "accounts.md"]


def test_what_was_only_judged_is_a_scored_row_and_no_curated_answer(tmp_path: Path) -> None:
    good, bad = answered(tmp_path, answer=BETTER), answered(tmp_path)
    say(tmp_path, good.id, "up")
    say(tmp_path, bad.id, "down")
    project(tmp_path, spec(tmp_path))
    scores = {row["lineage"]["trace_id"]: row["score"] for row in rows(tmp_path, "rows")}
    assert scores == {good.id: 1.0, bad.id: 0.0}
    assert [row["lineage"]["trace_id"] for row in rows(tmp_path, "cases")] == [good.id]
    assert curated.listed(tmp_path, APP) == []


def test_files_follow_up_down_cleared_and_deleted(tmp_path: Path) -> None:
    one, other = answered(tmp_path, answer=BETTER), answered(tmp_path)
    say(tmp_path, other.id, "down", BETTER)

    def told() -> list[str]:
        project(tmp_path, spec(tmp_path))
        return [row["lineage"]["trace_id"] for row in rows(tmp_path, "rows")]

    assert told() == [other.id]
    say(tmp_path, one.id, "up")
    assert set(told()) == {one.id, other.id}
    say(tmp_path, one.id, "down")
    assert set(told()) == {one.id, other.id}  # what was bad is learned from, too
    assert [row["lineage"]["trace_id"] for row in rows(tmp_path, "cases")] == [other.id]
    say(tmp_path, one.id, None)
    assert told() == [other.id]
    delete(tmp_path, other.id)
    assert told() == []
    assert (tmp_path / "golden.jsonl").read_bytes() == b""


def test_files_are_written_only_where_their_bytes_change(tmp_path: Path) -> None:
    say(tmp_path, answered(tmp_path).id, "down", BETTER)
    wanted = spec(tmp_path)
    assert set(statuses(project(tmp_path, wanted)).values()) == {"written"}
    before = (tmp_path / "golden.jsonl").stat().st_mtime_ns
    assert set(statuses(project(tmp_path, wanted)).values()) == {"unchanged"}
    assert (tmp_path / "golden.jsonl").stat().st_mtime_ns == before
    (tmp_path / "golden.jsonl").unlink()
    assert statuses(project(tmp_path, wanted))["golden"] == "written"


def test_an_empty_file_is_nobody_s_until_it_is_ours(tmp_path: Path) -> None:
    say(tmp_path, answered(tmp_path).id, "down", BETTER)
    wanted, file = spec(tmp_path), tmp_path / "golden.jsonl"
    file.touch()  # as a new project has it
    assert project(tmp_path, wanted).files[0].status == "written"
    assert file.read_bytes()
    file.write_bytes(b"")  # somebody has emptied it
    assert project(tmp_path, wanted).files[0].status == "edited"


@pytest.mark.parametrize("before", [False, True])
def test_a_file_that_somebody_else_wrote_or_changed_is_left_alone_and_told(
    tmp_path: Path, before: bool
) -> None:
    say(tmp_path, answered(tmp_path).id, "down", BETTER)
    wanted = spec(tmp_path)
    if before:
        project(tmp_path, wanted)
    theirs = b'{"id": "mine", "question": "?", "relevant": [{"uri": "x"}]}\n'
    (tmp_path / "golden.jsonl").write_bytes(theirs)
    golden, cases, _ = project(tmp_path, wanted).files
    assert (golden.status, cases.status) == ("edited", "unchanged" if before else "written")
    assert "changed by somebody else" in golden.hint or not before
    assert "was left as it is" in golden.hint
    assert (tmp_path / "golden.jsonl").read_bytes() == theirs
    (tmp_path / "golden.jsonl").unlink()
    assert statuses(project(tmp_path, wanted))["golden"] == "written"


def test_a_curated_answer_follows_the_correction_and_goes_with_it(tmp_path: Path) -> None:
    trace = answered(tmp_path)
    wanted = spec(tmp_path)
    said: list[tuple[str | None, str, dict[str, int], list[str]]] = [
        ("down", "One.", {"added": 1}, ["One."]),
        ("down", "One.", {"kept": 1}, ["One."]),
        ("down", "Two.", {"changed": 1}, ["Two."]),
        (None, "", {"retired": 1}, []),
        ("down", "Three.", {"added": 1}, ["Three."]),
    ]
    for rating, correction, counts, there in said:
        say(tmp_path, trace.id, rating, correction)
        made = project(tmp_path, wanted).curated
        assert made is not None
        assert {name: n for name, n in made.model_dump().items() if n} == counts
        assert [each.answer for each in curated.listed(tmp_path, APP)] == there


@pytest.mark.parametrize("deed", ["change", "retire", "add"])
def test_what_a_person_did_to_a_curated_answer_by_hand_stands(tmp_path: Path, deed: str) -> None:
    trace = answered(tmp_path)
    mine = NewCurated(question=trace.question, answer="Mine.", trace_id=trace.id)
    if deed == "add":
        curated.add(tmp_path, APP, mine)
    say(tmp_path, trace.id, "down", BETTER)
    project(tmp_path, spec(tmp_path))
    with acting_as("helpdesk/ann"):
        for each in curated.listed(tmp_path, APP):
            if deed == "change":
                curated.change(tmp_path, APP, each.id, mine)
            elif deed == "retire":
                curated.retire(tmp_path, APP, each.id)
    say(tmp_path, trace.id, "down", "Another.")
    made = project(tmp_path, spec(tmp_path)).curated
    assert made is not None
    assert made.by_hand == 1
    left = [each.answer for each in curated.listed(tmp_path, APP)]
    assert left == ([] if deed == "retire" else ["Mine."])


def test_a_correction_of_somebody_who_is_erased_leaves_nothing_curated(tmp_path: Path) -> None:
    trace = answered(tmp_path)
    say(
        tmp_path, trace.id, "down", f" {BETTER}\n", person=pseudonym(open_ledger(tmp_path), "h/ann")
    )
    project(tmp_path, spec(tmp_path))
    delete_person(tmp_path, "h/ann")
    assert curated.listed(tmp_path, APP, retired=True) == []
    project(tmp_path, spec(tmp_path))
    assert [rows(tmp_path, name) for name in ("golden", "cases", "rows")] == [[], [], []]


def test_a_trace_that_does_not_say_its_labels_curates_nothing(tmp_path: Path) -> None:
    say(tmp_path, answered(tmp_path, labels=None).id, "down", BETTER)
    made = project(tmp_path, spec(tmp_path)).curated
    assert made is not None
    assert (made.added, made.skipped) == (0, 1)


@pytest.mark.parametrize(
    ("role", "trust", "counts"),
    [
        ("viewer", "reviewers", False),
        ("reviewer", "reviewers", True),
        ("editor", "reviewers", True),
        ("viewer", "everybody", True),
        ("reviewer", "nobody", False),
    ],
)
def test_whose_feedback_counts_without_a_review(
    tmp_path: Path, role: Any, trust: str, counts: bool
) -> None:
    key, _ = create(tmp_path, "k", role=role, scopes=("ask", "feedback"))
    say(tmp_path, answered(tmp_path).id, "down", BETTER, key_id=key.id)
    projected = project(tmp_path, spec(tmp_path, trust=trust))
    assert bool(projected.settled) is counts
    assert projected.open == ({} if counts else {"not trusted": 1})


def test_a_name_without_a_key_is_nobody_s_word_until_somebody_reviews_it(tmp_path: Path) -> None:
    trace, wanted = answered(tmp_path), spec(tmp_path, trust="reviewers")
    say(tmp_path, trace.id, "down", BETTER, person=pseudonym(open_ledger(tmp_path), "helpdesk/bob"))
    assert project(tmp_path, wanted).open == {"not trusted": 1}
    assert curated.listed(tmp_path, APP) == []
    review(tmp_path, trace.id, "helpdesk/ann", "bad", BETTER)
    assert project(tmp_path, wanted).settled == {"bad": 1}
    assert [each.answer for each in curated.listed(tmp_path, APP)] == [BETTER]


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return tmp_path_factory.mktemp("often"), tmp_path_factory.mktemp("once")


WHO = st.sampled_from(["p1", "p2"])
EVENTS = st.one_of(
    st.tuples(st.sampled_from(["up", "clear"]), WHO),
    st.tuples(st.just("down"), WHO, st.sampled_from(["", BETTER, ELSEWHERE])),
    st.tuples(
        st.just("review"),
        WHO,
        st.sampled_from(["good", "bad", "discard", "withdrawn"]),
        st.sampled_from(["", BETTER]),
        st.booleans(),
    ),
    st.tuples(st.just("delete")),
    st.tuples(st.just("run")),
)


def happens(home: Path, app: str, trace_id: str, event: tuple[Any, ...]) -> None:
    match event:
        case ("up", who):
            say(home, trace_id, "up", person=who)
        case ("clear", who):
            say(home, trace_id, None, person=who)
        case ("down", who, correction):
            say(home, trace_id, "down", correction, person=who)
        case ("review", who, verdict, correction, adjudicates):
            review(home, trace_id, who, verdict, correction, adjudicates=adjudicates, app=app)
        case ("delete",):
            delete(home, trace_id)


def named(home: Path, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with people's names: every home has pseudonyms of its own."""
    known = {pseudonym(open_ledger(home), name): name for name in ("p1", "p2")}
    for line in lines:
        said = line["lineage"]["reviewers"]
        line["lineage"]["reviewers"] = sorted(known.get(each, each) for each in said)
    return lines


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), EVENTS), max_size=12))
def test_any_number_of_runs_in_between_gives_the_same_files(
    homes: tuple[Path, Path], events: list[tuple[int, tuple[Any, ...]]]
) -> None:
    app, ids = f"a{secrets.token_hex(6)}", [f"tr-{secrets.token_hex(16)}" for _ in range(2)]
    ends = []
    for home, often in zip(homes, (True, False), strict=True):
        folder = home / app
        wanted = spec(folder, app)
        for trace_id in ids:
            answered(home, trace_id=trace_id, app=app)
        gone = set[str]()
        for place, event in events:
            if event == ("run",):
                if often:
                    project(home, wanted)
            elif ids[place] not in gone:
                happens(home, app, ids[place], event)
                gone |= {ids[place]} if event == ("delete",) else set()
        project(home, wanted)
        files = [named(home, rows(folder, name)) for name in ("golden", "cases", "rows")]
        texts = [(each.trace_id, each.answer) for each in curated.listed(home, app)]
        ends.append((files, sorted(texts)))
        assert not any(trace_id in str(file) for trace_id in gone for file in files)
    assert ends[0] == ends[1]
