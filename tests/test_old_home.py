"""What release 0.1.0 left and paid for is there and valid: its home is opened, planned, measured,
searched and rolled back. Its model does not answer any more, so that whoever asks fails.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pyarrow import parquet

from llmops.configs import read
from llmops.configs.evaluate import EvaluateConfig
from llmops.configs.index import IndexConfig
from llmops.tasks.knowledge.build import Specs
from llmops.tasks.knowledge.start import fingerprints_of_specs
from llmops.tasks.plugins import parsers
from llmops.tasks.plugins.parsers import Parsed, Parser
from llmops.tasks.plugins.parsers.markdown import MarkdownParser
from llmops.tasks.plugins.parsers.office import OfficeParser
from llmops.tasks.plugins.scorers import Scorer
from tests.commandline import llmops
from tests.old_home import NAMES, ledger_rows, paid, restore

DECISION = "desk-20261129-010538-88d6bc"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The folder of `project` and `home`; the latter is the LLMOPS_HOME of the tests."""
    restore(tmp_path)
    return tmp_path


def planned(old: Path, name: str) -> Any:
    said = llmops("index", old / "project" / f"{name}.yaml", "--plan", "--json")
    assert said.code == 0, said.err
    return said.data


def work(plan: Any) -> dict[str, str]:
    return {row["uri"]: row["what"] for row in plan["plan"]}


def read_anew(old: Path, name: str) -> set[str]:
    """The documents of a live base whose parser has been improved since."""
    rows = ledger_rows(
        old / "home",
        f"SELECT uri, media_type FROM documents WHERE kb = '{name}' AND valid_to IS NULL",
    )
    return {uri for uri, kind in rows if parsers.parser_fingerprint(kind) != parsers.SHARED}


def test_opening_changes_nothing_that_was_paid(old: Path) -> None:
    before = paid(old / "home")
    assert {table: rows for table, (rows, _) in before.items()} == {
        "parsed": 12,
        "embeddings": 44,
        "calls": 119,
    }
    assert [row["name"] for row in llmops("kb", "list", "--json").data["knowledge_bases"]] == [
        *NAMES
    ]
    assert paid(old / "home") == before


def test_the_audit_log_begins_with_what_it_has_live(old: Path) -> None:
    (first,) = llmops("audit", "list", "--json").data["entries"]
    live = ledger_rows(old / "home", "SELECT name, live FROM knowledge_bases ORDER BY name")
    assert [name for name, _ in live] == sorted(NAMES)
    assert (first["number"], first["action"], first["who"]) == (1, "begun", "")
    assert first["after"] == ", ".join(f"{name}@{version}" for name, version in live)
    assert llmops("audit", "verify").code == 0


@pytest.mark.parametrize("name", NAMES)
def test_fingerprints_are_those_that_it_wrote(old: Path, name: str) -> None:
    config, home = read(old / "project" / f"{name}.yaml", IndexConfig), old / "home"
    now = fingerprints_of_specs(Specs.model_validate(config))
    assert ledger_rows(home, "SELECT DISTINCT parser FROM parsed") == [(parsers.SHARED,)]
    assert (now.model,) in ledger_rows(home, "SELECT DISTINCT model FROM embeddings")
    held = ledger_rows(home, "SELECT DISTINCT stages FROM quarantine WHERE uri != 'notes-copy.txt'")
    if name == "library":
        assert held != [(now.all,)]  # what nobody could read is tried again


@pytest.mark.parametrize(("name", "unchanged"), [("pages", 2), ("talk", 1)])
def test_a_build_reads_anew_what_is_read_better_now_and_nothing_else(
    old: Path, name: str, unchanged: int
) -> None:
    plan = planned(old, name)
    counts = plan["documents"]
    assert (counts["unchanged"], counts["changed"], counts["vanished"]) == (unchanged, 0, 0)
    anew = {"letter.docx", "guide.md"} if name == "pages" else {"letter.docx"}
    assert read_anew(old, name) == anew
    assert work(plan) == dict.fromkeys(anew, "reprocess")


def test_its_files_are_read_as_it_read_them_but_for_a_false_heading(old: Path) -> None:
    before, now = {}, {}
    for uri, shard, row in ledger_rows(
        old / "home",
        "SELECT DISTINCT documents.uri, parsed.shard, parsed.shard_row FROM documents "
        "JOIN parsed USING (content_hash) WHERE documents.source = 'files'",
    ):
        (kept,) = parquet.read_table(old / "home" / "lake" / shard).slice(row, 1).to_pylist()
        read_now = parsers.parse((old / "project" / "documents" / uri).read_bytes(), uri)
        before[uri], now[uri] = kept["text"], read_now.text
    assert before.pop("rooms.html") == f"---\n\n## title: Rooms\n\n{now.pop('rooms.html')}"
    assert (len(now), now) == (7, before)


def test_with_cleaners_that_compare_documents_all_are_looked_at(old: Path) -> None:
    """And what it could not read is tried again: that file's time and inode are others."""
    plan = planned(old, "library")
    counts = plan["documents"]
    assert (counts["unchanged"], counts["changed"], counts["vanished"]) == (9, 0, 0)
    assert read_anew(old, "library") <= set(work(plan))
    assert work(plan)["damaged.pdf"] == "new"


def test_after_an_earlier_version_the_edit_is_to_be_done(old: Path) -> None:
    assert llmops("kb", "rollback", "library", "--to", "1").code == 0
    plan = work(planned(old, "library"))
    assert (plan["damaged.pdf"], plan["guide.md"]) == ("new", "changed")


@pytest.mark.parametrize(("name", "chunks"), [("library", 30), ("pages", 6), ("talk", 2)])
def test_its_stores_hold_what_the_ledger_says(old: Path, name: str, chunks: int) -> None:
    said = llmops("kb", "verify", name, "--vectors", "--json")
    assert (said.code, said.data["ok"], said.data["chunks"]) == (0, True, chunks)


def test_it_is_searched_and_rolled_back(old: Path) -> None:
    ask = ("search", "what is paid for a damaged book", "--kb", "library", "-k", "1", "--json")
    now = llmops(*ask).data
    back = llmops("kb", "rollback", "library", "--json")
    assert (back.code, back.data["version"], back.data["previous_version"]) == (0, 1, 2)
    then = llmops(*ask).data
    assert (now["version"], then["version"]) == (2, 1)
    assert "paid for in full" in now["hits"][0]["text"]
    assert "paid for in full" not in then["hits"][0]["text"]
    assert llmops("kb", "verify", "library", "--vectors").code == 0


def test_replies_are_known_and_the_judge_is_still_trusted(old: Path) -> None:
    before, config = paid(old / "home"), old / "project" / "evaluate.yaml"
    plan = llmops("evaluate", config, "--plan", "--json").data
    assert {row["name"]: (row["calls"], row["remembered"]) for row in plan["calls"][:2]} == {
        "baseline": (0, 28),
        "candidate": (0, 28),
    }
    said = llmops("evaluate", config, "--calibrate", "--json")
    judge = said.data["judges"]["faithful"]
    assert (said.code, said.data["spent"]["calls"], said.data["spent"]["cached"]) == (0, 0, 24)
    assert (judge["trusted"], judge["n"], judge["failed"]) == (True, 24, 0)
    assert (round(judge["kappa"], 4), round(judge["low"], 4)) == (0.9167, 0.7313)
    assert paid(old / "home") == before


def test_the_calibration_is_that_of_the_judge(old: Path) -> None:
    scorers = read(old / "project" / "evaluate.yaml", EvaluateConfig).scorers
    (judge,) = [spec.build(Scorer) for spec in scorers if spec.name == "judge"]
    stored = ledger_rows(old / "home", "SELECT judge FROM calibrations")
    assert stored == [(judge.fingerprint(),)]


def test_its_decision_verifies_until_somebody_edits_it(old: Path) -> None:
    record = old / "home" / "decisions" / f"{DECISION}.json"
    said = llmops("decision", "verify", record, "--json")
    assert (said.code, said.data["ok"], said.data["problems"]) == (0, True, [])
    assert [row["id"] for row in llmops("decision", "list", "--json").data["decisions"]] == [
        DECISION
    ]
    record.write_text(json.dumps(json.loads(record.read_text()) | {"verdict": "reject"}))
    assert llmops("decision", "verify", record).code == 1


@pytest.fixture
def forgetful() -> Iterator[None]:
    """Fingerprints of parsers are kept for a process: not those of a test."""
    yield
    forget()


def forget() -> None:
    for known in (parsers.parser_fingerprint, parsers.parser_fingerprints):
        known.cache_clear()


class Scans(Parser):
    """A parser more, for a type that nobody read."""

    media_types: ClassVar[tuple[str, ...]] = ("image/x-scan",)
    revision: ClassVar[int] = 1

    def parse(self, data: bytes, media_type: str) -> Parsed:
        return Parsed(text=data.decode(), media_type=media_type)


class OtherOffice(OfficeParser):
    """A third party's parser, in the place of a built-in one."""


@pytest.mark.usefixtures("forgetful")
def test_a_parser_more_parses_nothing_again(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, plans = parsers.all_parsers(), [work(planned(old, name)) for name in ("pages", "talk")]
    _with(monkeypatch, Scans)
    assert parsers.all_parsers() != before
    assert [work(planned(old, name)) for name in ("pages", "talk")] == plans


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize(
    ("parser", "uri"), [(OtherOffice, "letter.docx"), (MarkdownParser, "guide.md")]
)
def test_another_parser_parses_only_documents_of_its_types_again(
    old: Path, monkeypatch: pytest.MonkeyPatch, parser: type[Parser], uri: str
) -> None:
    if parser is MarkdownParser:
        monkeypatch.setattr(MarkdownParser, "revision", MarkdownParser.revision + 1)
    _with(monkeypatch, parser)
    again = {uri: "reprocess", **dict.fromkeys(read_anew(old, "pages"), "reprocess")}
    assert work(planned(old, "pages")) == again
    assert work(planned(old, "talk")) == {"letter.docx": "reprocess"}


def _with(monkeypatch: pytest.MonkeyPatch, parser: type[Parser]) -> None:
    """The table of parsers with that one before the built-in ones."""
    table = parsers.parsers_by_type() | dict.fromkeys(parser.media_types, parser)
    monkeypatch.setattr(parsers, "parsers_by_type", lambda: table)
    forget()
