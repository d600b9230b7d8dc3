"""Some hundred real documents of twenty formats: each is read, or refused for a reason that is
true.
"""

import os
import re
from collections import Counter
from pathlib import Path

import pytest

from llmops.tasks.errors import DocumentError
from llmops.tasks.knowledge.parser_pool import ParserPool
from llmops.tasks.plugins.parsers import Ocr, ParseOptions, parse

PICTURES = {
    "rolling_buffer.pdf",
    "swa.pdf",
    "fp8-v.s.-bf16.pdf",
    "DeepSeek.pdf",
    "nemotron_multipage.pdf",
    "ocr_test.pdf",
    "ocr_test_rotated_90.pdf",
    "ocr_test_rotated_180.pdf",
    "ocr_test_rotated_270.pdf",
    "sample_with_rotation_mismatch.pdf",
}
COMPARED = {
    ".docx": 0.75,
    ".doc": 0.9,
    ".pptx": 0.75,
    ".epub": 0.95,
    ".md": 0.85,
    ".asciidoc": 0.85,
}


def words(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL).lower()))


@pytest.fixture
def corpus() -> Path:
    folder = (
        Path(os.environ.get("LLMOPS_BENCH_DATA", "/nonexistent"))
        / "docs-docling"
        / "tests"
        / "data"
    )
    if not folder.is_dir():
        pytest.skip("LLMOPS_BENCH_DATA does not name a folder with docs-docling in it")
    return folder


@pytest.mark.slow
def test_real_documents_are_read_or_refused_for_a_true_reason(corpus: Path) -> None:
    files = [
        path
        for path in sorted(corpus.rglob("*"))
        if path.is_file() and "groundtruth" not in path.parts and path.suffix != ".itxt"
    ]
    refused: dict[str, str] = {}
    thin: list[str] = []
    recognised: set[str] = set()
    with ParserPool(workers=1, options=ParseOptions(comments="apart")) as pool:
        for path in files:
            try:
                parsed = pool.parse(path.read_bytes(), path.name)
                text = parsed.text
                recognised |= {path.name} if "ocr_pages" in parsed.metadata else set()
            except DocumentError as error:
                refused[path.name] = error.reason
                continue
            truth = path.parent.parent / "groundtruth" / f"{path.name}.md"
            if path.suffix in COMPARED and truth.is_file():
                wanted = words(truth.read_text())
                share = sum((wanted & words(text)).values()) / max(1, sum(wanted.values()))
                thin += [f"{path.name}: {share:.2f}"] if share < COMPARED[path.suffix] else []
    if missing := Ocr().missing():
        assert {name for name, reason in refused.items() if missing in reason} >= PICTURES
    else:
        assert recognised >= PICTURES
    others = {
        name: reason for name, reason in refused.items() if not (missing and missing in reason)
    }
    assert {name for name, reason in others.items() if "password" in reason} == {
        "2206.01062_pg3.pdf"
    }
    assert {Path(name).suffix for name, reason in others.items() if "archive" in reason} == {".gz"}
    assert all(
        name.endswith(("_cal.xml", "_def.xml", "_pre.xml"))
        for name, reason in others.items()
        if "no text" in reason
    )
    assert len(others) == 9
    assert thin == []


def test_attachments_of_an_outlook_mail_are_named(corpus: Path) -> None:
    mail = (corpus / "email" / "sources" / "msg_with_attachment.msg").read_bytes()
    unread = parse(mail, "a.msg").metadata["unread_attachments"]
    assert list(unread) == ["test.txt", "report.pdf"]
    assert "save the mail as .eml" in unread["report.pdf"]
