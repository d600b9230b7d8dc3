"""What a split must not part."""

from llmops.tasks.retrieval.groups import clean_marks, linked

LONG = (
    "The harbour office opens at nine and closes at five, but on Sundays it stays closed all day."
)
TEXTS = {
    "a.md#1": "Boats pass the lighthouse at night.",
    "a.md#2": "Salt and lamps are the cargo of the season.",
    "b.md": LONG,
    "c.md": LONG.replace("nine", "ten"),
    "d.md": "Nobody counts the gulls of the northern pier.",
    "zh1.md": "港口办公室九点开门,五点关门,星期日全天关闭。",
    "zh2.md": "港口办公室十点开门,五点关门,星期日全天关闭。",
}


def group_of(*asked: tuple[str, str]) -> list[int]:
    questions, documents = [question for question, _ in asked], [{uri} for _, uri in asked]
    return [int(n) for n in linked(clean_marks(questions, documents, TEXTS))]


def test_parts_of_a_page_and_near_duplicates_go_together() -> None:
    groups = group_of(
        *(("q1", "a.md#1"), ("q2", "a.md#2"), ("q3", "b.md"), ("q4", "c.md"), ("q5", "d.md")),
        *(("问一", "zh1.md"), ("问二", "zh2.md")),
    )
    assert groups[0] == groups[1]
    assert groups[2] == groups[3]
    assert groups[5] == groups[6]
    assert len(set(groups)) == 4


def test_the_same_question_of_two_documents_goes_together() -> None:
    first, second, other = group_of(
        ("When does it open?", "b.md"), ("when does it OPEN", "d.md"), ("Who counts?", "a.md#1")
    )
    assert first == second != other
