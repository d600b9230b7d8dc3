"""From traces and reviews of a home to the files of trainers."""

from pathlib import Path

from llmops.configs import read_mapping
from llmops.configs.finetune import FinetuneConfig
from tests.datasets.made import APP, answered, review, say
from tests.datasets.training.runs import built, records

SOURCES = [
    {"name": "reviews", "queue": APP, "trust": "everybody"},
    {"name": "traces", "app": APP, "feedback": "rated"},
]


def test_traces_and_reviews_become_every_format(tmp_path: Path) -> None:
    corrected = answered(tmp_path, "How do I reset my password?", "Ask the desk about that.")
    liked = answered(tmp_path, "Who may read the handbook?", "All members of staff may read it.")
    disliked = answered(tmp_path, "When is the office open?", "The office is never open at all.")
    answered(tmp_path, "Where is the canteen?", "It is on the second floor, by the stairs.")
    review(tmp_path, corrected.id, "ann", "bad", "Open the page of your account and press reset.")
    say(tmp_path, liked.id, "up", person="p")
    say(tmp_path, disliked.id, "down", person="p")
    exports = ["openai_chat", "openai_dpo", "trl_kto", "sharegpt", "triplets"]
    given = {"name": "helpdesk", "collect": SOURCES, "export": exports}
    spec = read_mapping(given, FinetuneConfig).finetune_spec(tmp_path, "run-1")
    steps, published = built(spec)
    assert steps.sources() == {"reviews": 3, "traces": 2}
    assert steps.counts().duplicates == 2  # what was rated is in both
    assert steps.counts().left == 3
    [pair] = records(published.folder, "openai_dpo")
    assert pair["preferred_output"][0]["content"].startswith("Open the page")
    assert pair["non_preferred_output"][0]["content"] == "Ask the desk about that."
    assert pair["input"]["messages"][0]["role"] == "system"
    labels = sorted(each["label"] for each in records(published.folder, "trl_kto"))
    assert labels == [False, False, True, True]
    lineage = (published.folder / "lineage.jsonl").read_text(encoding="utf-8")
    assert all(each.id in lineage for each in (corrected, liked, disliked))
    assert '"prompt": "p@1"' in lineage
