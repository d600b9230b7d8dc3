"""What people see: complete where it is piped, readable on a terminal of 80 columns."""

import io
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from llmops.flows.commands import _grid, _measured, _tables

URI = "https://docs.example.com/guide/a-page-with-a-rather-long-name/and-another-part.html"
METRICS = ("recall@10", "ndcg@10", "precision@10")
REASON = (
    "the file is no PDF, although its name says so: it begins with HTML, as an error page of a "
    "server does"
)
ITEMS = [
    {
        "id": "0123456789abcdef",
        "uri": URI,
        "reason": REASON,
        "last_seen": "2026-01-31T10:20:30.123456+00:00",
    },
    {"id": "fedcba9876543210", "uri": "[b]x\x1b.md", "reason": "-", "last_seen": None},
]


def drawn(
    draw: Any, *given: Any, terminal: bool = False, width: int = 80, shortened: bool = False
) -> list[str]:
    """The lines that end up in a file, or on a terminal, without colours; nothing is cut unless a
    test says so.
    """
    out = io.StringIO()
    draw(
        Console(
            file=out,
            highlight=False,
            soft_wrap=True,
            width=width,
            force_terminal=terminal,
            color_system=None,
        ),
        *given,
    )
    assert shortened or "…" not in out.getvalue()
    return out.getvalue().splitlines()


def test_piped_a_row_is_a_line_and_nothing_is_cut() -> None:
    head, first, second = drawn(_tables.rows, ITEMS)
    assert head.split() == ["id", "uri", "reason", "last", "seen"]
    assert first.startswith(f"0123456789abcdef  {URI}  {REASON}  ")
    assert first.endswith(" 2026-01-31 10:20:30")
    assert "[b]x\\x1b.md" in second


@pytest.mark.parametrize("width", [40, 80, 110, 240])
def test_no_row_is_wider_than_the_terminal(width: int) -> None:
    lines = drawn(_tables.rows, ITEMS, terminal=True, width=width, shortened=True)
    assert max(map(cell_len, lines)) <= width
    assert any("0123456789abcdef" in line for line in lines)
    assert any("2026-01-31 10:20:30" in line for line in lines)
    assert (len(lines) > 3) == (width < 240)
    words = " ".join(lines).split()
    assert [word for word in REASON.split() if word not in words] == []


LONG = f"docs/{'x' * 240}/end.md"
WIDE = "手册/第一章/安装指南和常见问题解答的很长很长的文件名字.md"


@pytest.mark.parametrize("width", [80, 110])
def test_a_name_of_250_characters_spoils_no_other_row(width: int) -> None:
    uris = [LONG, WIDE, "a.md"]
    items = [{"uri": uri, "title": "T", "chunks": 20, "stale": False} for uri in uris]
    lines = drawn(_tables.rows, items, terminal=True, width=width, shortened=True)
    assert len(lines) == 4
    assert max(map(cell_len, lines)) <= width
    assert lines[1].startswith("docs/xxx")
    assert "…" in lines[1]
    assert "/end.md" in lines[1]
    column = {cell_len(line[: line.index(" T ")]) for line in lines[1:]}
    assert len(column) == 1  # the rows are in line, wide characters counted as two


def test_what_is_copied_is_never_shortened() -> None:
    items = [{"id": "f" * 64, "uri": LONG}]
    assert any("f" * 64 in line for line in drawn(_tables.rows, items, terminal=True, width=80))


@pytest.mark.parametrize("width", [1, 2, 7, 24, 60])
@pytest.mark.parametrize("text", [LONG, WIDE, "a", ""])
def test_a_shortened_text_keeps_both_ends(text: str, width: int) -> None:
    short = _grid.shortened(text, width)
    assert cell_len(short) <= width
    if cell_len(text) > width > 2:
        assert short.count("…") == 1
        head, tail = short.split("…")
        assert text.startswith(head)
        assert text.endswith(tail)


def test_what_costs_nothing_is_not_told() -> None:
    assert (_tables.money(0.0), _tables.money(0.0123)) == ("", ", $0.0123")
    assert _tables.money(0.000_001) == ", less than $0.0001"


def test_facts_show_names_in_words_and_values_as_they_are() -> None:
    found = {
        "last_seen_at": "-",
        "uri": "a_b_c.md",
        "sources": [{"source": "my_files", "staleness_seconds": 1.5}],
        "none": [],
    }
    assert drawn(_tables.facts, found) == [
        "last seen at  -",
        "uri           a_b_c.md",
        "sources       source my_files, staleness seconds 1.500",
    ]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "-"),
        (12.4, "12 s ago"),
        (95, "2 min ago"),
        (7_300, "2 h ago"),
        (180_000, "2 days ago"),
    ],
)
def test_an_age_is_told_in_its_largest_unit(seconds: float | None, said: str) -> None:
    assert _tables.age(seconds) == said


def test_amounts_read_as_sentences_do() -> None:
    assert (
        _tables.shown({"versions": 1, "documents": 13, "quarantine": 2})
        == "1 version, 13 documents, 2 in quarantine"
    )
    assert _tables.shown({"computed": 3, "reused": 1_200}) == "3 computed, 1,200 reused"
    assert _tables.shown({"source": "files", "documents": 1}) == "source files, documents 1"


@pytest.mark.parametrize(
    ("quarantined", "left", "next_try", "told"),
    [(7, "and 6 more: ", "", ""), (1, "", "the next build does", " (the next build does)")],
)
def test_a_build_says_how_many_failed_documents_it_does_not_name(
    quarantined: int, left: str, next_try: str, told: str
) -> None:
    found = {
        "knowledge_base": "handbook",
        "status": "blocked",
        "previous_version": 1,
        "seconds": 1.0,
        "tokens": 0,
        "cost_usd": 0.0,
        "hint": None,
        "version": 1,
        "reason": None,
        "documents": {"listed": 70, "quarantined": quarantined},
        "chunks": dict.fromkeys(("added", "retired", "kept", "total"), 0),
        "embeddings": {"computed": 0, "reused": 0},
        "quarantine": [
            {"uri": "a.md", "stage": "collect", "reason": "KeyError: 'x'", "next_try": next_try}
        ],
        "gate": {},
        "worst": [],
        "warnings": [],
        "links": {},
    }
    lines = [line.strip() for line in drawn(_tables.outcome, found)]
    assert f"{left}llmops quarantine list --kb handbook" in lines
    assert f"quarantine  a.md: collect: KeyError: 'x'{told}" in lines


def test_a_hit_shows_an_id_that_explain_takes() -> None:
    hit = {
        "rank": 1,
        "score": 0.5,
        "title": "A",
        "uri": "a.md",
        "headings": [],
        "page": None,
        "text": "words",
        "chunk_id": "0123456789ab" * 2,
        "source": "files",
        "metadata": {"author": "Ann", "tags": ["a"], "link": "x"},
    }
    last = drawn(_tables.hits, {"hits": [hit]})[-1]
    assert last == "    0123456789ab  files  author: Ann  link: x"


@pytest.mark.parametrize("width", [80, 110])
def test_texts_beside_a_name_are_folded_and_no_long_name_is_wider_than_the_terminal(
    width: int,
) -> None:
    link, chinese = f"http://127.0.0.1:27016/{'r' * 100}", "重置密码需要一分钟" * 20
    found = {
        "warnings": [f"the question's language (zh) is none that the embedder reads: {REASON}"],
        "hits": [
            {
                "rank": 1,
                "score": 0.5,
                "title": "密码",
                "uri": "n" * 250,
                "headings": ["密码"],
                "page": None,
                "text": chinese,
                "chunk_id": "0" * 24,
                "source": "files",
                "metadata": {},
            }
        ],
    }
    lines = drawn(_tables.hits, found, terminal=True, width=width, shortened=True)
    assert max(map(cell_len, lines)) <= width
    assert chinese in "".join(line.strip() for line in lines)
    assert "".join(lines).count("…") == 1, "the name alone is shortened"
    lines = drawn(_tables.facts, {"page": link, "why": REASON}, terminal=True, width=width)
    assert f"page  {link}" in lines
    assert all(cell_len(line) <= width for line in lines if link not in line)
    (piped,) = drawn(_tables.facts, {"why": REASON * 3})
    assert REASON * 3 in piped


def compared(*values: float, certain: bool = False) -> dict[str, Any]:
    """What `kb compare` found for arms with these values."""
    arms = [
        {
            "name": f"markdown size={100 + number}, embed=minilm, clean=unicode whitespace",
            "chunks": 1_234,
            "difference": None,
            "metrics": {
                metric: {"value": value, "interval": [value - 0.05, value + 0.05]}
                for metric in METRICS
            },
        }
        for number, value in enumerate(values)
    ]
    for arm, gain in zip(arms[1:], [value - values[0] for value in values[1:]], strict=True):
        arm["difference"] = {
            metric: {"value": gain, "interval": [gain - 0.1 * (not certain), gain + 0.1]}
            for metric in METRICS
        }
    return {
        "questions": 20,
        "golden": "golden.jsonl",
        "mode": "hybrid",
        "k": 10,
        "arms": arms,
        "best": arms[values.index(max(values))]["name"],
        "links": {"mlflow": "http://127.0.0.1/run"},
    }


@pytest.mark.parametrize("terminal", [False, True])
def test_a_comparison_shows_every_name_value_and_interval_within_80_columns(terminal: bool) -> None:
    found = compared(0.5, 0.625, certain=True)
    lines = drawn(_measured.comparison, found, terminal=terminal)
    assert all(len(line) <= 80 for line in lines if found["arms"][0]["name"] not in line)
    assert [f"{arm['name']}: 1,234 chunks" in lines for arm in found["arms"]] == [True, True]
    assert [line.split() for line in lines if "ndcg@10 " in line][:2] == [
        ["ndcg@10", "0.500", "[0.450,", "0.550]"],
        ["ndcg@10", "0.625", "[0.575,", "0.675]", "+0.125", "[+0.125,", "+0.225]", "*"],
    ]
    assert f"Highest ndcg@10: {found['best']}." in lines
    assert f"Differences are to {found['arms'][0]['name']}; *: the interval excludes 0." in lines
    assert not any("precision" in line for line in lines)


def test_a_comparison_says_when_nothing_decides() -> None:
    assert "All arms are equal in every metric." in drawn(
        _measured.comparison, compared(0.5, 0.5, 0.5)
    )
    assert any(
        line.endswith("none is beyond chance.")
        for line in drawn(_measured.comparison, compared(0.5, 0.52))
    )
    mixed = compared(0.5, 0.5)
    mixed["arms"][1]["metrics"]["recall@10"]["value"] = 0.6
    assert any(
        line.startswith("All arms have the same ndcg@10.")
        for line in drawn(_measured.comparison, mixed)
    )


def test_a_measurement_of_three_modes_fits_80_columns() -> None:
    values = {
        metric: {"value": 0.5, "interval": [0.4, 0.6]}
        for metric in ("recall@10", "ndcg@10", "mrr@10", "precision@10")
    }
    worst = [{"question": "why?\x1b[2J", "expected": ["a.md"], "got": []}]
    modes = dict.fromkeys(("hybrid", "vector", "text"), values)
    found = {"knowledge_base": "kb", "version": 1, "questions": 20, "modes": modes, "worst": worst}
    lines = drawn(_measured.measurement, found)
    assert max(map(len, lines)) <= 80
    assert lines[2].split() == ["recall@10", *["0.500", "[0.400,", "0.600]"] * 3]
    assert lines[-2:] == ["  why?\\x1b[2J", "    expected a.md; got nothing"]
