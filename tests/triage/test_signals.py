"""Why somebody should look at an answer."""

from typing import Any

import pytest

from llmops.tasks.triage.signals import PRIORITY, Seen, TriageRules, chosen

NOT_BY_CHANCE = TriageRules(random=0)
ONE = "tr-1"


@pytest.mark.parametrize(
    ("seen", "reasons"),
    [
        ({}, None),
        ({"down": 1}, ("negative",)),
        ({"down": 2, "corrected": True}, ("negative",)),
        ({"up": 1}, None),
        ({"up": 1, "down": 1}, ("disagreement", "negative")),
        ({"up": 1, "grounded": 0.25}, ("disagreement", "grounding")),
        ({"down": 1, "grounded": 1.0}, ("disagreement", "negative")),
        ({"grounded": 0.5}, None),
        ({"grounded": 0.49}, ("grounding",)),
        ({"grounded": 0.49, "refused": True}, ("refusal",)),
        ({"refused": True}, ("refusal",)),
        ({"alike": 1}, ("topic",)),
    ],
)
def test_the_reasons_by_what_is_known(
    seen: dict[str, Any], reasons: tuple[str, ...] | None
) -> None:
    made = chosen([Seen(ONE, **seen)], NOT_BY_CHANCE)
    assert (made[0].reasons if made else None) == reasons


@pytest.mark.parametrize(
    ("off", "seen"),
    [
        ({"negative": False, "disagreements": False}, {"up": 1, "down": 1}),
        ({"refusals": False}, {"refused": True}),
        ({"grounding": 0}, {"grounded": 0.0, "up": 1}),
        ({"topics": 0}, {"alike": 2}),
    ],
)
def test_what_is_not_asked_for_is_no_reason(off: dict[str, Any], seen: dict[str, Any]) -> None:
    rules = NOT_BY_CHANCE.model_copy(update=off)
    assert chosen([Seen(ONE, **seen)], rules) == []


def test_the_random_sample_is_the_same_every_time_and_grows_with_its_share() -> None:
    seen = [Seen(trace_id=f"tr-{number:032x}") for number in range(2_000)]
    small, large = (
        {each.trace_id for each in chosen(seen, TriageRules(random=share))} for share in (0.02, 0.1)
    )
    assert 20 <= len(small) <= 60
    assert small < large


def test_the_most_pressing_come_first_and_equals_in_the_order_of_their_ids() -> None:
    seen = [
        Seen(trace_id="tr-1", refused=True),
        Seen(trace_id="tr-3", down=1),
        Seen(trace_id="tr-2", down=1),
        Seen(trace_id="tr-4", down=1, corrected=True),
        Seen(trace_id="tr-5", up=1, down=1),
        Seen(trace_id="tr-6", down=1, grounded=1.0),
    ]
    made = chosen(seen, NOT_BY_CHANCE)
    assert [each.trace_id for each in made] == ["tr-5", "tr-4", "tr-6", "tr-2", "tr-3", "tr-1"]
    assert max(each.priority for each in made) < 100, "whoever asks for a person comes first"
    assert sorted(PRIORITY, key=lambda each: -PRIORITY[each])[0] == "disagreement"
