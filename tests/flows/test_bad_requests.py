"""Questions to a knowledge base that make no sense, and homes that are damaged, locked or in the
way.
"""

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commandline import Office, ended, llmops, refused, start, start_afresh
from tests.flows.test_incremental import prose

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, prefect_server: Path) -> Office:
    """Two versions of three documents."""
    office = Office(tmp_path_factory.mktemp("requests"), prefect_server, "requests")
    for number in range(3):
        office.write(f"d{number}.txt", prose(number, 4))
    assert office.build(embed="hash").status == "published"
    office.write("d3.txt", prose(3, 4))
    assert office.build(embed="hash").version == 2
    return office


@pytest.fixture(autouse=True)
def _at_home(published: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOPS_HOME", str(published.home))


@pytest.fixture
def copy(published: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that may be damaged."""
    home = tmp_path / "copy"
    home.mkdir()
    with (
        sqlite3.connect(published.home / "ledger.db") as ledger,
        sqlite3.connect(home / "ledger.db") as other,
    ):
        ledger.backup(other)
    for folder in ("lake", "lancedb"):
        shutil.copytree(published.home / folder, home / folder)
    monkeypatch.setenv("LLMOPS_HOME", str(home))
    return home


@pytest.mark.parametrize(
    "question",
    [
        "?!...",
        "🦀🦀",
        "\udcff\ud800 boats",
        "a\x00b",
        "\u200b",
        'terms:x AND "',
        "harbour " * 12_500,
        "h" * 100_000,
    ],
    ids=[
        "punctuation",
        "emoji",
        "surrogates",
        "NUL",
        "zero width",
        "operators",
        "100 kB",
        "one word",
    ],
)
@pytest.mark.parametrize("mode", ["hybrid", "vector", "text"])
def test_odd_questions_are_answered(question: str, mode: str) -> None:
    said = llmops("search", question, "--kb", "requests", "--mode", mode, "--json")
    assert (said.code, said.data["version"]) == (0, 2)


def test_questions_that_cannot_be_asked_end_with_2() -> None:
    for says, words in {
        "greater than or equal to 1": ["x", "-k", "0"],
        "less than or equal to 1000": ["x", "-k", "5000"],
        "the question is empty": ["  "],
        "allowed: hybrid, vector, text": ["x", "--mode", "fuzzy"],
    }.items():
        refused(2, says, "search", *words, "--kb", "requests")
    refused(
        2,
        "no knowledge base 'nope' has been published.*\n?.*known: .*requests",
        "search",
        "x",
        "--kb",
        "nope",
    )
    refused(2, "is not valid text", "search", "x", "--kb", "\udcff")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("status nope", "no knowledge base 'nope'"),
        ("diff requests 7", "no version 7"),
        ("diff requests 0", "no version 0"),
        ("diff requests 1 99999999999999999999999", "no version 9999"),
        ("rollback requests --to 99", "no version 99"),
        ("rollback requests --to -1", "no version -1"),
        ("rollback requests --to 99999999999999999999999", "no version 9999"),
        ("measure requests --golden nope", "does not exist"),
        ("measure requests --golden . --mode z", "allowed: hybrid, vector, text"),
    ],
)
def test_versions_and_names_that_do_not_exist_end_with_2(words: str, says: str) -> None:
    refused(2, says, "kb", *words.split())


def test_the_first_version_has_nothing_before_it(copy: Path) -> None:
    assert llmops("kb", "rollback", "requests").code == 0
    refused(2, "its first: there is nothing to go back to", "kb", "rollback", "requests")


@pytest.mark.parametrize("what", ["show", "retry", "drop"])
def test_unknown_items_of_the_quarantine_end_with_2(what: str) -> None:
    refused(2, "no item 'nope' is in quarantine", "quarantine", what, "nope")
    if what != "show":
        refused(2, "which items", "quarantine", what)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--beir", "nope"], "nope: no such folder"),
        (["--beir", "."], "no split 'test'"),
        (["--squad", "."], "Is a directory"),
        ([], "give one of"),
        (["--squad", "odd.json"], "not the shape of SQuAD"),
        (["--squad", "none.json"], "there are no questions"),
    ],
)
def test_a_golden_import_from_the_wrong_place_ends_with_2(
    words: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("odd.json").write_text('{"data": [{"paragraphs": 3}]}')
    Path("none.json").write_text('{"data": []}')
    refused(2, says, "golden", "import", *words, "--out", "out.jsonl")
    refused(
        2,
        "this is a folder|give one of|no such folder",
        "golden",
        "import",
        *words,
        "--out",
        str(tmp_path),
    )
    assert not Path("out.jsonl").exists()


def test_questions_about_documents_that_do_not_exist_are_found(
    published: Office, tmp_path: Path
) -> None:
    golden = tmp_path / "golden.jsonl"
    golden.write_text(
        '{"id": "q", "question": "which harbour?", "relevant": [{"uri": "gone.txt"}]}\n'
    )
    file = published.config(embed="hash", gate={"golden": str(golden)})
    said = llmops("golden", "check", file, "--json")
    assert (said.code, said.data["missing"][0]["why"]) == (1, "no document has this uri")
    assert said.data["version"] == 2
    people = llmops("golden", "check", file).out
    assert "compared: version 2 of requests, which is live; not its sources" in people
    both = llmops("golden", "check", file, "--sources").out
    assert "which is live; what its sources list now" in both
    warned = llmops("check", file, "--json")
    assert warned.code == 0
    assert (
        "names 1 document that version 2 of 'requests' does not have" in warned.data["warnings"][0]
    )
    published.config()


def test_a_damaged_ledger_says_so(copy: Path) -> None:
    (copy / "ledger.db").write_bytes(os.urandom(50_000))
    for words in (["kb", "list"], ["search", "x", "--kb", "requests"]):
        refused(1, "is damaged: file is not a database.*\n?.*restore a backup", *words)


def test_a_ledger_with_damaged_pages_says_so(copy: Path) -> None:
    with (copy / "ledger.db").open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom((copy / "ledger.db").stat().st_size - 8192))
    refused(1, "is damaged", "kb", "documents", "requests")


def test_a_missing_shard_stops_what_needs_it_and_not_the_search(copy: Path) -> None:
    shutil.rmtree(copy / "lake")
    refused(1, "the shard .* is missing.*\n?.*restore a backup", "kb", "diff", "requests", "--text")
    assert llmops("search", "x", "--kb", "requests", "--json").code == 0


def test_a_wiped_store_is_reported_by_search_and_verify(copy: Path) -> None:
    shutil.rmtree(copy / "lancedb")
    refused(1, "LanceDB table .* has no snapshot", "search", "x", "--kb", "requests")
    said = llmops("kb", "verify", "requests", "--json")
    assert (said.code, said.data["ok"], said.data["missing"]) == (1, False, said.data["chunks"])
    assert "no snapshot" in said.data["note"]


def test_a_reader_does_not_wait_for_a_writer(published: Office) -> None:
    """The ledger is opened anew here, as every command does: that alone may not ask for the right
    to write.
    """
    holder = sqlite3.connect(published.home / "ledger.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        assert (
            ended(start(published.home, "kb", "status", "requests", "--json"), seconds=25).data[
                "version"
            ]
            == 2
        )
    finally:
        holder.execute("ROLLBACK")


def test_a_file_in_the_place_of_the_home_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LLMOPS_HOME", str(tmp_path / "file"))
    refused(1, "file: a file is in the way.*\n?.*set LLMOPS_HOME to a folder", "kb", "list")


@pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv to give up root's rights")
def test_a_home_that_may_not_be_written_says_so(copy: Path) -> None:
    powers = (
        ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
    )
    subprocess.run(["chmod", "-R", "a-w", str(copy)], check=True)
    try:
        said = ended(start_afresh(copy, "kb", "list", before=powers))
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(copy)], check=True)
    assert (said.code, "cannot be opened for writing" in said.err, "Traceback" in said.err) == (
        1,
        True,
        False,
    ), said.err
    assert sys.platform != "linux" or "LLMOPS_HOME" in said.err
