"""What people see of a board: live lines within the terminal's width, lines of a log elsewhere."""

import io
import re
import time

import pytest
from rich.console import Console

from llmops.flows import progress as shown
from llmops.flows.progress import LiveLines, LogLines, NoDisplay, Rates
from llmops.tasks import progress
from llmops.tasks.progress import Board, BoardSeen, StageSeen
from tests.commandline import ROOT

URL = "http://127.0.0.1:4200/v2/runs/flow-run/528addaa-e428-4850-857d-691f617ffcbb"


def seen(*stages: StageSeen, **counts: float) -> BoardSeen:
    return BoardSeen("handbook v1", "run-1", URL, stages, counts)


def at(seconds: float, done: int) -> StageSeen:
    return StageSeen("embed", done, 5_000, "chunks", seconds, True)


def test_a_rate_is_of_the_last_seconds_and_tells_what_is_left() -> None:
    rates = Rates()
    assert rates.of(at(1, 10)) is None
    assert [rates.of(at(each, 10 * each)) for each in (10, 20)] == [10, 10]
    slower = [rates.of(at(20 + each, 200 + each)) for each in range(1, 41)]
    assert slower[-1] == pytest.approx(1, rel=0.2)  # of late, not since the beginning
    assert shown.left(at(60, 240), 1.0) == "79 min left"
    assert shown.left(at(60, 99), 1.0) == "", "too little is done"
    assert shown.left(at(7, 240), 1.0) == "", "too young"
    assert shown.left(at(60, 5_000), 1.0) == ""


def test_a_new_run_of_the_same_stage_has_a_rate_of_its_own() -> None:
    rates = Rates()
    assert [rates.of(at(each, 100 * each)) for each in (1, 10)][1] == 100
    assert rates.of(at(4, 8)) == 2


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.2, "1 s"), (89, "89 s"), (120, "2 min"), (12_000, "3 h 20 min")]
)
def test_durations_read_as_people_say_them(seconds: float, told: str) -> None:
    assert shown.duration(seconds) == told


def test_rates_have_as_many_digits_as_matter() -> None:
    told = [shown.per_second(each) for each in (None, 1234.0, 56.4, 5.67, 0.25, 0.05)]
    assert told == ["", "1,234/s", "56/s", "5.7/s", "0.25/s", "3.0/min"]


@pytest.mark.parametrize("width", [40, 80, 110])
def test_a_board_fits_the_terminal(width: int) -> None:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=True, color_system=None)
    stages = [
        StageSeen("read", 155_000, 155_000, "documents", 3_700.0, False),
        StageSeen("start Prefect", 0, None, "documents", 3.0, True),
        StageSeen("embed", 1_200_000, 5_000_000, "chunks", 45.0, True),
        StageSeen("start", 0, None, "documents", 3.0, False),
    ]
    board = seen(*stages, quarantined=3, usd=0.0123)
    console.print(shown.table(board, Rates(), "12 min", width))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert not any(line.startswith("start ") and "Prefect" not in line for line in lines)
    assert lines[-1].strip() == "3 quarantined · $0.0123 spent · 12 min"
    if width >= 80:
        assert any("1,200,000 of 5,000,000 chunks" in line for line in lines)
        assert any("155,000 of 155,000 documents" in line and "62 min" in line for line in lines)


def test_elsewhere_a_line_every_so_often_and_the_page_once() -> None:
    out = io.StringIO()
    with progress.watched(Board()) as board:
        lines = LogLines(board, out, every=0.02)
        progress.about("handbook v1", "run-1", URL)
        with progress.stage("embed", 5_000, "chunks") as step:
            step(1_200)
            progress.count("quarantined", 3)
            progress.count("usd", 0.0123)
            end = time.monotonic() + 10
            while out.getvalue().count("embed") < 2:
                assert time.monotonic() < end
                time.sleep(0.005)
        lines.close()
    first, second, *_ = out.getvalue().splitlines()
    assert first == f"handbook v1  {URL}"
    assert second.endswith(
        " handbook v1: embed 1,200 of 5,000 chunks; 3 quarantined; $0.0123 spent"
    )
    assert out.getvalue().count(URL) == 1


def test_a_quick_command_says_nothing_where_nobody_watches() -> None:
    out = io.StringIO()
    with progress.watched(Board()) as board:
        lines = LogLines(board, out)
        list(progress.each(range(3), "read"))
        lines.close()
    assert out.getvalue() == ""


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_the_run_and_its_page_stay_and_the_live_lines_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    out = Screen()
    with progress.watched(Board()) as board:
        live = LiveLines(board, out)
        progress.about("handbook v1", "run-1", URL)
        with progress.stage("embed", 5_000, "chunks") as step:
            step(1_200)
            end = time.monotonic() + 10
            while "1,200 of 5,000" not in out.getvalue():
                assert time.monotonic() < end
                time.sleep(0.01)
            live.say("stopping")
        live.close()
    text = out.getvalue()
    assert text.count(URL) == 1
    assert "stopping\n" in text
    assert text.endswith("\x1b[2K")  # the last of it is wiped away
    assert "\x1b[?25h" in text  # and the cursor is back


def test_quiet_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Screen()
    monkeypatch.setattr("sys.stderr", out)
    with shown.shown(Board(), quiet=True) as display:
        assert isinstance(display, NoDisplay)
        display.say("anything")
    assert out.getvalue() == ""


@pytest.mark.parametrize(
    ("terminal", "plain", "kind"),
    [(True, False, LiveLines), (True, True, LogLines), (False, False, LogLines)],
)
def test_lines_of_a_log_go_where_a_log_goes(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, plain: bool, kind: type
) -> None:
    monkeypatch.setattr("sys.stderr", Screen() if terminal else io.StringIO())
    with shown.shown(Board(), quiet=False, plain=plain) as display:
        assert isinstance(display, kind)


def test_every_command_that_runs_a_flow_shows_how_far_it_is() -> None:
    silent = [
        decorated.partition("\n")[0]
        for file in sorted((ROOT / "flows" / "commands").glob("*.py"))
        for decorated in re.split(r"(?m)^(?=@command\()", file.read_text())[1:]
        if "run_flow(" in decorated and "long=True" not in decorated.partition("\n")[0]
    ]
    assert silent == []
