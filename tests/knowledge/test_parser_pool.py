"""A document may do what it likes to its parser: it costs one document, never the run."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from llmops.tasks.errors import DocumentError, TransientDocumentError
from llmops.tasks.knowledge.parser_pool import ParserPool
from llmops.tasks.knowledge.parser_pool.frames import WORKING, Incoming, packed
from llmops.tasks.plugins.parsers import Ocr, ParseOptions
from tests.plugins.parsers import samples

ROOT = Path(__file__).parents[2]

HTML = b"<!doctype html><title>T</title><p>Still alive and well.</p>"


def gone(pid: int, seconds: float = 5) -> bool:
    """Whether a process ends within some seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "said", "retryable"),
    [
        ("hangs", r"longer than 3 seconds.*`parse\.seconds`", True),
        ("sticks", r"longer than 3 seconds.*`parse\.seconds`", True),
        ("eats", r"more than 300 MB of memory.*`parse\.memory_mb`", False),
        ("maps", r"more than 300 MB of memory.*`parse\.memory_mb`", False),
        ("crashes", r"crashed on this document: .*SIGSEGV", False),
        ("raises", r"crashed on this document: KeyError: 'nobody foresaw this'", False),
        ("leaves", r"crashed on this document: exit code 0", False),
    ],
)
def test_bad_behaviour_costs_one_document(
    nasty: Path, kind: str, said: str, retryable: bool
) -> None:
    with ParserPool(workers=1, seconds=3 if retryable else 60, memory_mb=300) as pool:
        with pytest.raises(DocumentError, match=said) as caught:
            pool.parse(b"x", "bad", f"x-nasty/{kind}")
        assert caught.value.retryable is retryable
        assert isinstance(caught.value, TransientDocumentError) is retryable
        assert caught.value.unforeseen is ("crashed" in said)
        assert "Still alive" in pool.parse(HTML, "good.html").text


@pytest.mark.slow
def test_the_limit_of_time_is_one_of_a_page_that_is_recognised(nasty: Path) -> None:
    with ParserPool(workers=1, seconds=3, options=ParseOptions(ocr=Ocr(most_pages=9))) as pool:
        assert pool.parse(b"9", "scan", "x-nasty/pages").text == "9 pages"
        with pytest.raises(TransientDocumentError, match=r"longer than 3 seconds"):
            pool.parse(b"99", "endless", "x-nasty/pages")
        assert "Still alive" in pool.parse(HTML, "good.html").text


def test_options_reach_the_process() -> None:
    note = "<office:annotation><text:p>Sure?</text:p></office:annotation>"
    data = samples.opendocument("text", f"<text:p>Ducks{note}</text:p>")
    with ParserPool(workers=1) as pool:
        assert pool.parse(data, "a.odt").text == "Ducks"
    with ParserPool(workers=1, options=ParseOptions(comments="apart")) as pool:
        said = pool.parse(data, "a.odt").text
    assert said == "Ducks\n\n# Comments\n\nComment on “Ducks”: Sure?"


def test_frames_that_arrive_together_are_told_apart() -> None:
    incoming = Incoming()
    pieces = [*packed(WORKING), *packed({"ready": True}, b"text")]
    assert incoming.add(b"".join(pieces)) == (WORKING, b"")
    assert incoming.add(b"") == ({"ready": True}, b"text")
    assert incoming.add(b"") is None


def test_noise_does_not_disturb_the_conversation(nasty: Path) -> None:
    with ParserPool(workers=1) as pool:
        data = b"x" * 3_000_000
        for _ in range(2):
            assert pool.parse(data, "loud", "x-nasty/talks").text.startswith("3000000 bytes")


@pytest.mark.slow
def test_processes_are_reused_shared_and_ended(nasty: Path) -> None:
    with ParserPool(workers=2) as pool, ThreadPoolExecutor(8) as threads:
        found = set(
            threads.map(lambda _: pool.parse(b"0.05", "x", "x-nasty/whoami").text, range(24))
        )
        assert len(found) == 2
        assert str(os.getpid()) not in found
    assert all(gone(int(pid)) for pid in found)
    with pytest.raises(RuntimeError, match="closed"):
        pool.parse(HTML, "x.html")


def test_a_worker_outlives_the_thread_that_started_it(nasty: Path) -> None:
    with ParserPool(workers=1) as pool:
        found: list[str] = []
        for _ in range(2):
            thread = threading.Thread(
                target=lambda: found.append(pool.parse(b"", "x", "x-nasty/whoami").text)
            )
            thread.start()
            thread.join()
        assert found[0] == found[1]


@pytest.mark.slow
def test_a_stopped_parser_takes_its_children_with_it(nasty: Path, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    with ParserPool(workers=1, seconds=1) as pool, pytest.raises(TransientDocumentError):
        pool.parse(str(note).encode(), "x", "x-nasty/spawns")
    assert gone(int(note.read_text()))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["hangs", "sticks", "whoami"])
def test_workers_die_with_their_parent(nasty: Path, kind: str) -> None:
    """Killed without warning, while the worker holds the interpreter, or while it waits."""
    script = (
        "import sys; from llmops.tasks.knowledge.parser_pool import ParserPool\n"
        "pool = ParserPool(workers=1, seconds=500)\n"
        "print(pool.parse(b'', 'x', 'x-nasty/whoami').text, flush=True)\n"
        f"pool.parse(b'100', 'x', 'x-nasty/{kind}')\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(nasty), str(ROOT)])}
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, env=environment
    ) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        time.sleep(0.3)
        assert psutil.pid_exists(worker)
        parent.send_signal(signal.SIGKILL)
    assert gone(worker)


def test_registered_parsers_come_before_built_in_ones(nasty: Path) -> None:
    with ParserPool(workers=1) as pool:
        assert pool.parse(b"a,b\n1,2", "x.csv").text == "better: text/csv"
        assert pool.parse(b"\x89PNG\r\n\x1a\n\x00", "x.png").text == "better: image/png"
        assert pool.parse(b"plain", "x.txt").text == "plain"


def test_without_them_nothing_is_left() -> None:
    with ParserPool(workers=1) as pool:
        assert pool.parse(b"a,b\n1,2", "x.csv").text == "a: 1; b: 2"
        with pytest.raises(DocumentError, match="picture"):
            pool.parse(b"\x89PNG\r\n\x1a\n\x00", "x.png")


def test_plain_texts_need_no_process() -> None:
    data = b"# Title\n\n" + b"Some words in a row. " * 40
    with ParserPool(workers=1) as pool:
        for number in range(200):
            assert pool.parse(data, f"{number}.md").markup == "markdown"
        assert not [
            child for child in psutil.Process().children() if "_worker" in " ".join(child.cmdline())
        ]


@pytest.mark.slow
def test_long_lines_and_large_texts_pass() -> None:
    line, large = b"word " * 40_000, "Größe und Länge. ".encode() * 2_600_000
    with ParserPool(workers=1, max_chars=60_000_000) as pool:
        assert len(pool.parse(line, "line.txt").text) == 200_000
        assert len(pool.parse(large, "large.txt").text) == 17 * 2_600_000


@pytest.mark.parametrize("times", [200, 3000])
def test_a_text_above_the_limit_says_how_to_take_it(times: int) -> None:
    with ParserPool(workers=1, max_chars=1000) as pool:
        with pytest.raises(DocumentError, match=r"allowed are 1,000; raise `parse\.max_chars`"):
            pool.parse(b"words " * times, "a.txt")
        assert pool.parse(b"words " * 166, "a.txt").text


def test_refusals_come_through_with_their_kind() -> None:
    with ParserPool(workers=1) as pool:
        with pytest.raises(DocumentError, match="password"):
            pool.parse(samples.locked_pdf(), "a.pdf")
        with pytest.raises(DocumentError, match="damaged or was cut off"):
            pool.parse(samples.docx()[:300], "a.docx")
        with pytest.raises(DocumentError, match="no parser reads model/gltf"):
            pool.parse(b"x", "a", "model/gltf")


@pytest.mark.slow
def test_a_zip_bomb_does_not_go_off() -> None:
    parts = {f"word/{number}.xml": b"\x00" * (90 << 20) for number in range(7)}
    honest = samples.package(
        "word/document.xml", "application/xml", {"word/document.xml": "<x/>", **parts}
    )
    lying = honest.replace((90 << 20).to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    with ParserPool(workers=1) as pool:
        for bomb in (honest, lying):
            assert len(bomb) < 1_000_000
            with pytest.raises(DocumentError, match="zip bomb"):
                pool.parse(bomb, "bomb.docx")
