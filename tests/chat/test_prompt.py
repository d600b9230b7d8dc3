"""The prompt as it is now: followed when it moves, kept when it cannot be asked for."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from llmops.tasks.chat.prompt import LivePrompt, filled
from llmops.tasks.errors import ConfigError, LlmopsError, UsageError
from llmops.tasks.prompts import Prompt
from llmops.tasks.prompts.registry import push
from llmops.tasks.tracking.prompts import open_registry
from tests.chat.apps import said

TEXT = "name: p\nmessages: [{role: user, content: 'A: {{question}}'}]\n"


def prompt(*messages: str, **more: object) -> Prompt:
    roles = ("system",) * (len(messages) - 1) + ("user",)
    turns = [{"role": role, "content": text} for role, text in zip(roles, messages, strict=True)]
    return Prompt.model_validate({"name": "p", "messages": turns, **more})


def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not what():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)


def started(live: LivePrompt) -> LivePrompt:
    asyncio.run(live.start())
    return live


def test_a_file_is_followed_and_a_broken_one_is_not(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(TEXT)
    live = started(LivePrompt(tmp_path / "home", "p.yaml", tmp_path, seconds=0))
    assert live.current().prompt.messages[0].content == "A: {{question}}"
    file.write_text(TEXT.replace("A:", "B:"))
    until(lambda: live.current().prompt.messages[0].content == "B: {{question}}")
    assert live.state() == ("p.yaml", None, None, "")
    file.write_text(TEXT.replace("question", "riddle"))
    until(lambda: live.state().since is not None)
    assert live.current().prompt.messages[0].content == "B: {{question}}"
    until(lambda: "riddle" in live.state().trouble)
    since = live.state().since
    file.unlink()
    until(lambda: "riddle" not in live.state().trouble)
    assert live.state().since == since
    file.write_text(TEXT)
    until(lambda: live.state().since is None)
    with pytest.raises(ConfigError):
        started(LivePrompt(tmp_path / "home", "none.yaml", tmp_path))


def test_nobody_waits_and_one_asks_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(TEXT)
    live = started(LivePrompt(tmp_path / "home", "p.yaml", tmp_path, seconds=60))
    (tmp_path / "p.yaml").unlink()
    for _ in range(100):
        assert live.current().uri == "p.yaml"
    assert live.state().trouble == ""  # it is believed for a minute


@pytest.mark.slow
def test_an_alias_is_followed_and_its_loss_is_survived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    for text in ("A: {{question}}", "B: {{question}}"):
        push(home, prompt(text))
    with open_registry(home, write=True) as shelf:
        shelf.point("p", "live", 1)
    live = started(LivePrompt(home, "prompts:/p@live", tmp_path, seconds=0))
    assert live.current().uri == "prompts:/p/1"
    with open_registry(home, write=True) as shelf:
        shelf.point("p", "live", 2)
    until(lambda: live.current().uri == "prompts:/p/2")
    with open_registry(home, write=True) as shelf:
        shelf._mlflow.delete_prompt_alias("p", "live")
    until(lambda: live.state().since is not None)
    assert live.state()[:2] == ("prompts:/p/2", 2)
    assert "no alias 'live'" in live.state().trouble
    with pytest.raises(UsageError, match="no alias 'live'"):
        started(LivePrompt(home, "prompts:/p@live", tmp_path))
    monkeypatch.setenv("LLMOPS_MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    until(lambda: "no alias" not in live.state().trouble)
    assert live.state()[:2] == ("prompts:/p/2", 2)


@pytest.mark.parametrize(
    ("made", "mistake"),
    [
        (prompt("{{passages}}"), "does not ask the question"),
        (prompt("{{question}} {{tone}}"), "has the variable 'tone'"),
        (prompt("{{question}} {{tone}}", variables={"tone": {"default": "x"}, "question": {}}), ""),
        (prompt("{{history}}", "{{question}} {{passages}}"), ""),
    ],
)
def test_a_prompt_has_to_fit_an_application(made: Prompt, mistake: str) -> None:
    from llmops.tasks.chat.prompt import KNOWN, check

    if not mistake:
        return check(made, "p.yaml", KNOWN)
    with pytest.raises(LlmopsError, match=mistake):
        check(made, "p.yaml", KNOWN)
    return None


def test_what_was_said_stands_where_the_prompt_wants_it() -> None:
    history = said("Hello {{question}}", "Hi.")
    plain = filled(prompt("{{passages}}", "Q: {{question}}"), "Why?", "[1] x", history)
    assert [(one.role, one.content) for one in plain.messages] == [
        ("system", "[1] x"),
        ("user", "Hello {{question}}"),
        ("assistant", "Hi."),
        ("user", "Q: Why?"),
    ]
    inside = filled(prompt("{{history}}", "Q: {{question}}"), "Why?", "", history)
    assert [one.content for one in inside.messages] == [
        "user: Hello {{question}}\n\nassistant: Hi.",
        "Q: Why?",
    ]
