"""A version of a data set: what is in it, when there is a new one, and what a failure leaves."""

import hashlib
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from llmops.tasks.datasets.training import publishing
from llmops.tasks.datasets.training.publishing import (
    MANIFEST,
    card_of,
    manifest_at,
    one_at_a_time,
    versions,
)
from llmops.tasks.errors import Blocked, Unavailable
from tests.datasets.training.runs import built, line, pair_line, prepared, records, spec_of
from tests.plugins.exporters.rows import ODD

ALL = (
    *("openai_chat", "openai_dpo", "trl_sft", "trl_dpo", "trl_kto"),
    *("sharegpt", "alpaca", "triplets"),
)
ROWS = [*(line(n) for n in range(30)), *(pair_line(n) for n in range(30, 40))]


def content(folder: Path) -> dict[str, str]:
    """The hash of every file of a version."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_equal_rows_give_equal_bytes_in_another_home(tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        options = {"export": list(ALL), "write": ["jsonl", "parquet"]}
        spec = spec_of(tmp_path / name / "home", tmp_path / name, ROWS, **options)
        made.append(built(spec)[1])
    one, two = (content(each.folder) for each in made)
    assert one == two
    assert {name.split("/")[0] for name in one if "/" in name} == set(ALL)


def test_the_manifest_says_what_there_is(tmp_path: Path) -> None:
    spec = spec_of(tmp_path / "home", tmp_path, ROWS, export=list(ALL), write=["jsonl", "parquet"])
    steps, published = built(spec)
    there, manifest = content(published.folder), manifest_at(published.folder)
    listed = {each.path: each.sha256 for each in manifest.files} | manifest.beside
    assert listed == {name: each for name, each in there.items() if name not in LATER}
    assert (manifest.rows, manifest.rows.left) == (steps.counts(), 40)
    for file in manifest.files:
        path = published.folder / file.path
        parquet = path.suffix == ".parquet"
        rows = pq.read_metadata(path).num_rows if parquet else path.read_bytes().count(b"\n")
        assert (rows, path.stat().st_size) == (file.rows, file.bytes)


LATER = (MANIFEST, publishing.REPORT)


def test_the_same_again_is_no_new_version(tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = built(spec_of(home, tmp_path, ROWS))[1]
    again = built(spec_of(home, tmp_path, ROWS))[1]
    assert (first.new, again.new, versions(home / "datasets/helpdesk")) == (True, False, [1])
    another = built(spec_of(home, tmp_path, [*ROWS, line(99)]))[1]
    assert (another.new, another.manifest.version) == (True, 2)
    other = built(spec_of(home, tmp_path, [*ROWS, line(99)], split={"seed": 8}))[1]
    assert other.manifest.version == 3


@pytest.mark.parametrize("format_", ["jsonl", "parquet"])
def test_texts_survive_all_steps_to_the_byte(format_: str, tmp_path: Path) -> None:
    rows = [line(n, answer=f"{n * 7919}{text}") for n, text in enumerate(ODD)]
    options = {"check": {"invisible": True}, "dedup": None, "tokenizer": "cautious"}
    wanted = {str(each["messages"][-1]["content"]) for each in rows}
    export = [{"name": "trl_sft", "max_tokens": 100_000}]
    spec = spec_of(tmp_path / "home", tmp_path, rows, export=export, write=[format_], **options)
    published = built(spec)[1]
    if format_ == "jsonl":
        made = records(published.folder, "trl_sft")
    else:
        files = sorted((published.folder / "trl_sft").glob("*.parquet"))
        made = [each for file in files for each in pq.read_table(file).to_pylist()]
    assert {each["completion"][0]["content"] for each in made} == wanted


def test_a_run_that_dies_leaves_no_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = spec_of(tmp_path / "home", tmp_path, ROWS)
    full = OSError(28, "No space left on device")

    def fails(path: Path) -> None:
        raise full

    monkeypatch.setattr(publishing, "_flushed", fails)
    with pytest.raises(Unavailable, match="space"):
        built(spec)
    assert sorted(each.name for each in spec.datasets.iterdir()) == [".lock"]


def test_what_a_killed_run_left_goes_with_the_next(tmp_path: Path) -> None:
    spec = spec_of(tmp_path / "home", tmp_path, ROWS)
    prepared(spec)
    assert spec.work.is_dir()
    built(spec.model_copy(update={"run_id": "run-2"}))
    assert sorted(each.name for each in spec.datasets.iterdir()) == [".lock", "v1"]


def test_one_run_at_a_time(tmp_path: Path) -> None:
    spec = spec_of(tmp_path / "home", tmp_path, ROWS)
    with one_at_a_time(spec), pytest.raises(Blocked, match="another run"):
        built(spec)


def test_nothing_left_is_no_version(tmp_path: Path) -> None:
    spec = spec_of(tmp_path / "home", tmp_path, [{**line(1), "cut": True}])
    with one_at_a_time(spec), pytest.raises(Blocked, match="nothing is left"):
        prepared(spec)


def test_lineage_has_a_line_for_every_row_and_no_texts(tmp_path: Path) -> None:
    lineage = {
        "trace_id": "tr-1",
        "quote": "SECRET",
        "passages": [{"uri": "a.md", "text": "SECRET"}],
    }
    spec = spec_of(tmp_path / "home", tmp_path, [line(1, lineage=lineage), *ROWS[2:]])
    folder = built(spec)[1].folder
    lines = (folder / "lineage.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 39
    [mine] = [json.loads(each) for each in lines if '"r1"' in each]
    assert mine["lineage"] == {"collector": "jsonl", "trace_id": "tr-1", "uris": ["a.md"]}


def test_the_card_says_what_a_person_has_to_know(tmp_path: Path) -> None:
    golden = tmp_path / "golden.jsonl"
    asked = {"id": "q1", "question": str(line(3)["messages"][0]["content"])}
    golden.write_text(json.dumps({**asked, "relevant": [{"uri": "a.md"}]}) + "\n", encoding="utf-8")
    rows = [*ROWS, line(2), {**line(50), "lineage": {"licence": "CC-BY-4.0"}}]
    against = {"against": ["golden.jsonl"]}
    spec = spec_of(tmp_path / "home", tmp_path, rows, decontaminate=against, export=["trl_kto"])
    steps, published = built(spec)
    told = card_of(published.folder)
    assert "CC-BY-4.0" in told
    assert "golden.jsonl" in told
    assert "Of 10 pairs the better answer is the longer one in" in told
    assert "`scrub: null`" in told
    assert "tokens are estimates" in told
    assert steps.counts().contaminated == 1
    assert steps.counts().rejected == 1  # an id twice
    assert "![" not in told
