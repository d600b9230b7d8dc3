"""Ctrl-C in a real terminal: once, the call under way is finished and the command ends; twice, it
ends at once. And what the terminal shows meanwhile.
"""

import re
import time
from pathlib import Path

import pytest

from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.leases import holder
from llmops.tasks.ledger.tables import leases
from tests.commandline import Office, environment, llmops
from tests.terminals import CTRL_C, Terminal, terminal

pytestmark = pytest.mark.slow

CALL_SECONDS = 3.0
PART = 64  # texts of one call
DOCUMENTS = 120
SLACK = 3.0
PROMPT = Path(__file__).parents[2] / "configs" / "prompts" / "answer-from-passages.yaml"
AGAIN = "the same command continues where it stopped"


def large(office: Office, seconds: float = CALL_SECONDS) -> Path:
    """A knowledge base of several calls, each of which takes a while; returns the config."""
    for number in range(DOCUMENTS):
        text = "\n\n".join(
            f"The keeper of lighthouse {number} counts {number * 7 + harbour} boats in harbour "
            f"{harbour}, and writes them into the book before the night falls over the pier."
            for harbour in range(6)
        )
        office.write(f"d{number}.txt", text)
    return office.config(embed={"name": "slow", "bill": str(office.bill), "seconds": seconds})


def begun(office: Office, shown: Terminal) -> None:
    """Read until the first call to the embedder is under way."""
    mark = office.bill.with_suffix(".begun")
    end = time.monotonic() + 90
    while not mark.exists():
        assert shown.read(), shown.text
        assert time.monotonic() < end, shown.text


def leased(office: Office) -> bool:
    with open_ledger(office.home).read() as connection:
        rows = connection.execute(leases.select().where(leases.c.kb == office.kb)).all()
    return bool(rows)


def test_ctrl_c_once_finishes_the_call_and_a_rerun_continues(office: Office) -> None:
    config, folder = large(office), office.folder
    with terminal(
        "index", config, environment=environment(office.home), folder=folder, columns=80
    ) as shown:
        begun(office, shown)
        told = llmops("kb", "status", office.kb)
        assert "Prefect run" in told.out, told
        assert re.search(rf"{office.kb} v1  http://\S+/flow-run/", shown.text)
        shown.press(CTRL_C)
        shown.until("stopping after the call under way; Ctrl-C again stops at once", 5)
        assert shown.ended(CALL_SECONDS + SLACK + 10) == 130
    text = shown.text
    assert re.search(r"read +\S* *120 of 120 documents", text), text[-3000:]
    assert (AGAIN in text, "Traceback" in text, "Exception ignored" in text) == (True, False, False)
    paid = office.paid()
    assert paid >= PART, "the calls under way were thrown away"
    assert (leased(office), office.live()) == (False, None)
    again = llmops("index", large(office, 0), "--json")
    assert again.data["status"] == "published"
    assert again.data["embeddings"]["reused"] >= paid
    bills = office.bills()
    assert not set(bills[:paid]) & set(bills[paid:]), "a text was paid for again"


def test_ctrl_c_twice_ends_at_once_and_quietly(office: Office) -> None:
    config = large(office, 30)
    with terminal(
        "index", config, environment=environment(office.home), folder=office.folder
    ) as shown:
        begun(office, shown)
        run = (holder(open_ledger(office.home), office.kb) or "").rpartition("run ")[2]
        shown.press(CTRL_C)
        shown.until("Ctrl-C again stops at once", 5)
        before, pressed = len(shown.text), time.monotonic()
        shown.press(CTRL_C)
        assert shown.ended(10) == 130
        took = time.monotonic() - pressed
    after = shown.text[before:]
    assert took < SLACK
    assert (AGAIN in after, "Traceback" in after, "rror:" in after) == (True, False, True)
    assert shown.raw.rindex(b"\x1b[?25h") > shown.raw.rindex(b"\x1b[?25l"), "the cursor is hidden"
    assert leased(office) is False
    from tests.flows.test_interrupted import last_run_state

    assert last_run_state(office, run) == "CRASHED"


KINDS = {
    "several flows": (("demo",), r"1\. A first build"),
    "files": (("backup", "copy"), r"\d s"),
    "no flow": (("kb", "export", "KB", "out"), r"\d s"),
}
"""Commands of other kinds than one flow, and what is on the screen once they are at work."""


@pytest.mark.parametrize("kind", KINDS)
def test_ctrl_c_ends_every_kind_of_command_quietly(office: Office, kind: str) -> None:
    words, begun = KINDS[kind]
    office.write("d.txt", "The keeper counts boats.")
    office.build(embed="hash")
    given = [office.kb if word == "KB" else word for word in words]
    with terminal(*given, environment=environment(office.home), folder=office.folder) as shown:
        shown.until(begun, 90)
        shown.press(CTRL_C)
        assert shown.ended(30) == 130, shown.text
    assert (AGAIN in shown.text, "Traceback" in shown.text) == (True, False), shown.text
    assert leased(office) is False
    left = [path.name for path in office.folder.iterdir() if path.name in ("copy", "out")]
    assert left in ([], ["copy"]), "half an export"  # files of a backup are used by the next one


@pytest.mark.parametrize("words", [("serve",), ("ui", "--no-open")], ids=["serve", "ui"])
def test_what_runs_until_ctrl_c_ends_by_it_without_a_word_of_errors(
    office: Office, words: tuple[str, ...]
) -> None:
    office.write("d.txt", "The keeper counts boats.")
    office.build(embed="hash")
    config = office.folder / "app.yaml"
    config.write_text(
        f"flow: serve\napp: helpdesk\nknowledge_bases: [{office.kb}]\n"
        f"prompt: {PROMPT}\nllm: {{name: extractive}}\n"
    )
    given = (words[0], config, "--port", "0") if words == ("serve",) else words
    with terminal(*given, environment=environment(office.home), folder=office.folder) as shown:
        shown.until(r"http://\S+", 90)
        shown.press(CTRL_C)
        code = shown.ended(30)
    assert code in (0, 130), shown.text
    assert "Traceback" not in shown.text


def test_json_on_standard_output_stays_whole_while_a_terminal_shows_progress(
    office: Office,
) -> None:
    import json

    office.write("d.txt", "The keeper counts boats.")
    config = office.config(embed="hash")
    file = office.folder / "out.json"
    with (
        file.open("wb") as out,
        terminal(
            *("index", config, "--json"),
            environment=environment(office.home),
            folder=office.folder,
            output=out.fileno(),
        ) as shown,
    ):
        assert shown.ended(90) == 0
    assert json.loads(file.read_text())["status"] == "published"
    assert "documents" in shown.text
    with terminal(
        *("index", config, "--quiet"), environment=environment(office.home), folder=office.folder
    ) as quiet:
        assert quiet.ended(90) == 0
    assert quiet.text == ""
