"""A question and its answer as a row."""

from llmops.tasks.rows import Row, RowMessage


def question_row(
    identity: str,
    question: str,
    answer: str,
    group: str | None,
    system: str,
    lineage: dict[str, object],
) -> Row:
    """A question and its answer as a conversation; `system` "": none."""
    before = (RowMessage(role="system", content=system),) if system else ()
    return Row(
        id=identity,
        messages=(
            *before,
            RowMessage(role="user", content=question),
            RowMessage(role="assistant", content=answer),
        ),
        group=group or identity,
        lineage=lineage,
    )
