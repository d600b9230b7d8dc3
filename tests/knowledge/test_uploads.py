"""Uploaded files: whatever they are called, they land in their folder, and nowhere else."""

import os
from pathlib import Path

import pytest

from llmops.tasks.errors import UsageError
from llmops.tasks.knowledge.uploads import (
    LONGEST,
    Upload,
    UploadedFile,
    keep,
    remove,
    safe_name,
    uploaded,
)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("handbook.pdf", "handbook.pdf"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\win.ini", "win.ini"),
        ("/etc/cron.d/x", "x"),
        (".env", "env"),
        ("...hidden.txt", "hidden.txt"),
        ("a\x00b\n.txt", "ab.txt"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("con.txt", "_con.txt"),
        ("NUL", "_NUL"),
        ("a:b?.txt", "a-b-.txt"),
        ("  two   words .txt ", "two words.txt"),
        ("-rf.txt", "rf.txt"),
        ("手册 第一章.docx", "手册 第一章.docx"),
        ("راهنما.pdf", "راهنما.pdf"),
        ("می\u200cخواهم.pdf", "می\u200cخواهم.pdf"),
        ("\u200b.txt", "txt"),
        ("cafe\u0301.md", "café.md"),
        ("name.", "name"),
    ],
)
def test_a_name_is_made_safe_and_stays_legible(given: str, name: str) -> None:
    assert safe_name(given) == name
    assert safe_name(name) == name


@pytest.mark.parametrize("given", ["", "..", "/", "....", "\u202e", ".pdf/", "---"])
def test_what_is_no_name_is_refused(given: str) -> None:
    with pytest.raises(UsageError, match="no name of a file"):
        safe_name(given)


@pytest.mark.parametrize("given", ["x" * 300 + ".pdf", "手" * 200 + ".docx", "a." + "y" * 300])
def test_a_long_name_is_cut_and_keeps_its_ending(given: str) -> None:
    name = safe_name(given)
    assert len(name.encode()) <= LONGEST
    assert len(given.rpartition(".")[2]) > 16 or name.endswith(given[given.rindex(".") :])


def test_uploads_are_kept_replaced_listed_and_removed(tmp_path: Path) -> None:
    folder = tmp_path / "uploads" / "handbook"
    first = keep(tmp_path, folder, [Upload("a.md", b"one"), Upload("x/A.md", b"two")], 10)
    assert first == [("a.md", False), ("A-2.md", False)]
    assert keep(tmp_path, folder, [Upload("a.md", b"three")], 10) == [("a.md", True)]
    assert uploaded(folder) == [UploadedFile("A-2.md", 3), UploadedFile("a.md", 5)]
    remove(tmp_path, folder, "a.md")
    assert [each.name for each in folder.iterdir()] == ["A-2.md"]
    with pytest.raises(UsageError, match="no such file"):
        remove(tmp_path, folder, "../../secret.txt")


def test_too_many_files_are_refused_before_one_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="would hold 3 files, 2 are allowed"):
        keep(tmp_path, tmp_path / "u", [Upload(f"{n}.txt", b"") for n in range(3)], 2)
    assert not (tmp_path / "u").exists()


def test_a_link_leads_nowhere(tmp_path: Path) -> None:
    """Neither the folder nor a file of it."""
    root, outside = tmp_path / "project", tmp_path / "outside"
    (root / "uploads").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret.txt").write_text("mine")
    (root / "uploads" / "kb").symlink_to(outside)
    with pytest.raises(UsageError, match="not inside of the project"):
        keep(root, root / "uploads" / "kb", [Upload("a.txt", b"x")], 10)
    with pytest.raises(UsageError, match="not inside of the project"):
        keep(root, root / ".." / "outside", [Upload("a.txt", b"x")], 10)
    folder = root / "uploads" / "other"
    folder.mkdir()
    (folder / "a.txt").symlink_to(outside / "secret.txt")
    assert uploaded(folder) == []
    keep(root, folder, [Upload("a.txt", b"new")], 10)
    assert (outside / "secret.txt").read_text() == "mine"
    assert not (folder / "a.txt").is_symlink()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="cannot be written"):
        keep(tmp_path, tmp_path / "u", [Upload("a.txt", b"x")], 10)
