"""What counts as a quotation, however it is written down, and what is left of a text that holds
one.
"""

import json
from pathlib import Path

import pytest

from llmops.tasks.errors import Unavailable
from llmops.tasks.maintenance.redaction import TRACES, Redactor, redact_files
from llmops.tasks.traces.spool import TraceSpool, standing_still
from tests.traces.made import recorded

TEXT = (
    "The violet zeppelin of Quixotic harbour hums at midnight, said the clockmaker's "
    'widow.\nNobody answered "her" that night.'
)
URI = "private/memo.txt"


@pytest.mark.parametrize(
    "told",
    [
        TEXT,
        json.dumps(TEXT),
        json.dumps({"a": [TEXT]}),
        TEXT.replace("\n", "\\n"),
        "  ".join(TEXT.split()),
        TEXT.replace(" ", "&nbsp;"),
        "they say: zeppelin of Quixotic harbour hums at mid",
        TEXT.replace("'", "&#x27;").replace('"', "&quot;"),
        f"<b>{TEXT[:40]}</b>{TEXT[40:]}",
        "".join(f"\\{sign}" if sign in "'," else sign for sign in TEXT),
        "see private/memo.txt.",
        "(private/memo.txt)",
    ],
)
def test_a_quotation_is_found_and_gone_afterwards(told: str) -> None:
    redactor = Redactor([TEXT], URI)
    assert redactor.quoted_in(told)
    assert redactor.quoted_in(f"before {told} after")
    cleaned = redactor.redacted(told)
    assert "Quixotic" not in cleaned
    assert URI not in cleaned
    assert "[erased]" in cleaned
    assert not redactor.quoted_in(cleaned)


@pytest.mark.parametrize(
    "told",
    [
        "",
        "a zeppelin at midnight",
        "Nobody answered",
        "other/private/memo.txt",
        "private/memo.txt2",
        "The harbour is violet, the zeppelin hums, the widow of Quixotic is at midnight",
    ],
)
def test_common_words_and_other_names_are_left_alone(told: str) -> None:
    redactor = Redactor([TEXT], URI)
    assert not redactor.quoted_in(told)
    assert (redactor.redacted(told), redactor.black_out(told)) == (told, told)


def test_other_scripts_are_recognised_by_fewer_signs() -> None:
    redactor = Redactor(["黑豹队的防守在半决赛中表现出色,只让对手得到了三百零八分。"])
    told = {"log": "日志:防守在半决赛中表现出色,只让对手", "kept": "三百零八分"}
    assert redactor.redacted(told)["kept"] == told["kept"]
    assert "半决赛" not in redactor.redacted(told)["log"]
    assert redactor.quoted_in(json.dumps("黑豹队的防守在半决赛中表现出色"))


def test_structure_stays_and_lengths_where_they_must() -> None:
    redactor = Redactor([TEXT], URI)
    told = json.loads(
        redactor.redacted(json.dumps([{"uri": URI, "n": 1}, {"text": json.dumps([TEXT, "kept"])}]))
    )
    assert told[0] == {"uri": "[erased]", "n": 1}
    assert json.loads(told[1]["text"])[1] == "kept"
    line = f"12:00 ümlaut {TEXT} 12:01"
    assert len(redactor.black_out(line, keep_length=True).encode()) == len(line.encode())
    assert redactor.black_out(line, keep_length=True).startswith("12:00 ümlaut ")


def test_nothing_to_look_for_finds_nothing() -> None:
    assert not Redactor([]).quoted_in("anything at all that is long enough to be a quotation")
    assert not Redactor(["", "a b"]).quoted_in("a b")


def test_no_trace_moves_from_the_spool_to_mlflow_while_both_are_redacted(tmp_path: Path) -> None:
    quoted = "The reactor is switched off by the red lever in the cellar."
    spool = TraceSpool(tmp_path, "helpdesk", 10**6)
    waiting = spool.put(recorded(answer=quoted))
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.html").write_text(quoted)
    with standing_still(tmp_path), spool.sending() as mine:
        assert not mine
    changed, left = redact_files(tmp_path, Redactor([quoted]), TRACES)
    assert (changed, left) == (1, [])
    assert "red lever" not in waiting.read_text()
    assert "red lever" in (tmp_path / "docs" / "page.html").read_text()  # of another folder
    with spool.sending() as mine:
        assert mine
        with pytest.raises(Unavailable, match="being sent"), standing_still(tmp_path, 0.05):
            pass
    assert redact_files(tmp_path, Redactor([quoted]))[0] == 1
