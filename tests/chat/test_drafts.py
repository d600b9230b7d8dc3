"""Drafts of a prompt, and the prompts of the registry that may be tried."""

import pytest

from llmops.tasks.chat.choices import chosen, prompt_choices
from llmops.tasks.chat.drafts import LONGEST, DraftMistake, DraftMistakes, draft_of
from llmops.tasks.errors import ConfigError, UsageError
from llmops.tasks.prompts import Prompt, Resolved
from llmops.tasks.prompts.registry import push
from tests.chat.apps import Towers


def based(*texts: str, **more: object) -> Resolved:
    messages = [
        {"role": "user" if n else "system", "content": text} for n, text in enumerate(texts)
    ]
    prompt = Prompt.model_validate({"name": "towers", "messages": messages, **more})
    return Resolved(prompt=prompt, uri="prompts:/towers/1", version=1)


OWN = based("Answer from:\n{{passages}}", "{{question}}", model={"temperature": 0})


def test_a_draft_keeps_all_but_its_texts() -> None:
    draft = draft_of(OWN, ["Briefly, from:\n{{passages}}", "{{question}}"])
    assert draft.prompt.messages[0].content.startswith("Briefly")
    assert (draft.prompt.name, draft.prompt.model) == ("towers", {"temperature": 0})
    assert draft.uri == f"draft:towers@{draft.prompt.sha256[:12]}"
    assert draft.version is None
    assert draft_of(OWN, [part.content for part in OWN.prompt.messages]).uri != draft.uri


def test_variables_follow_the_texts() -> None:
    more = {
        "passages": {"description": "found"},
        "question": {},
        "tone": {"default": "friendly"},
    }
    base = based("{{tone}}: {{passages}}", "{{question}}", variables=more)
    assert set(draft_of(base, ["{{passages}}", "{{question}}"]).prompt.variables) == {
        *("passages", "question")
    }
    draft = draft_of(base, ["{{tone}} {{history}}", "{{question}}"])
    assert set(draft.prompt.variables) == {"tone", "history", "question"}
    assert draft.prompt.variables["tone"].default == "friendly"


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["", "{{question}}"], [("empty", 1, "")]),
        (["Answer.", "Now."], [("no_question", 0, "")]),
        (
            ["{{passages}} {{tone}} {{tone}}", "{{nobody}} {{question}}"],
            [("unknown", 1, "tone"), ("unknown", 2, "nobody")],
        ),
        (
            ["{{passages", "{% if x %} {{question}}"],
            [("placeholder", 1, "{{passages"), ("block", 2, "{% if x %}")],
        ),
        (["a\0b", "{{question}}"], [("nul", 1, "")]),
        (["a\ud800b", "{{question}}"], [("sign", 1, "")]),
        (["x" * LONGEST, "{{question}}"], [("long", 0, str(LONGEST + 12))]),
        (
            ["  ", "{{who}} {{"],
            [
                ("empty", 1, ""),
                ("placeholder", 2, "{{"),
                ("unknown", 2, "who"),
                ("no_question", 0, ""),
            ],
        ),
    ],
)
def test_all_that_is_wrong_with_a_draft_is_told_at_once(
    texts: list[str], found: list[tuple[str, int, str]]
) -> None:
    with pytest.raises(DraftMistakes) as raised:
        draft_of(OWN, texts)
    assert list(raised.value.found) == [DraftMistake(*each) for each in found]  # type: ignore[arg-type]


def test_a_draft_has_the_messages_of_its_prompt() -> None:
    with pytest.raises(UsageError, match="got 1 texts for a prompt of 2 messages"):
        draft_of(OWN, ["{{question}}"])


def test_the_prompts_that_an_application_can_fill_are_offered(towers: Towers) -> None:
    assert prompt_choices(towers.home) == []
    push(towers.home, OWN.prompt)
    push(towers.home, draft_of(OWN, ["Briefly: {{passages}}", "{{question}}"]).prompt)
    push(
        towers.home,
        based("Is {{answer}} right?", "{{question}}").prompt.model_copy(update={"name": "judge"}),
    )
    first, second = prompt_choices(towers.home)
    assert (first.uri, first.name, first.version) == ("prompts:/towers/2", "towers", 2)
    assert second.uri == "prompts:/towers/1"
    assert chosen(towers.home, OWN, "prompts:/towers/2").version == 2
    assert chosen(towers.home, OWN, "prompts:/towers@latest").version == 2
    assert chosen(towers.home, OWN, "") is OWN
    with pytest.raises(ConfigError, match="'answer', which an application does not fill"):
        chosen(towers.home, OWN, "prompts:/judge/1")
    with pytest.raises(UsageError, match="has no version 9"):
        chosen(towers.home, OWN, "prompts:/towers/9")
    secret = towers.folder / "secret.yaml"
    secret.write_text("name: secret\nmessages: [{role: user, content: '{{question}}'}]")
    for path in (str(secret), "../secret.yaml", "prompts:../secret.yaml"):
        with pytest.raises(UsageError, match="got the "):
            chosen(towers.home, OWN, path)
