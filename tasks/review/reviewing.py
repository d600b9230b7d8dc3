"""What a reviewer says of an item, and what the item comes to by all that is said of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from sqlalchemy import Connection, Row, func, insert, null, select, update

from llmops.tasks.errors import UsageError
from llmops.tasks.ledger import existing_ledger, now, open_ledger
from llmops.tasks.ledger.databases import storable
from llmops.tasks.ledger.review import review_items, reviews
from llmops.tasks.review.items import (
    ItemId,
    ReviewItem,
    ReviewRow,
    completed,
    review_of,
    row_of,
)
from llmops.tasks.review.leases import check_reviewer, let_go
from llmops.tasks.traces.feedback import COMMENT_LENGTH, CORRECTION_LENGTH
from llmops.tasks.traces.masking import masked_text

LONGEST_NAME, MOST_RELEVANT = 2_000, 100
LONGEST_SECONDS = 86_400.0
Said = Literal["good", "bad", "discard", "withdrawn"]
VERDICTS: tuple[Said, ...] = get_args(Said)


class Review(NamedTuple):
    """What a reviewer says. `relevant`: the uris of passages that answer the question; `seconds`:
    how long it took. The verdict `withdrawn` takes back what was said.
    """

    verdict: Said
    correction: str = ""
    relevant: tuple[str, ...] = ()
    comment: str = ""
    seconds: float = 0.0


class ItemOutcome(NamedTuple):
    """What an item comes to."""

    state: Literal["open", "done", "disputed", "discarded"]
    verdict: str = ""


def submit(
    home: Path,
    app: str,
    item_id: ItemId,
    reviewer: str,
    review: Review,
    *,
    adjudicates: bool = False,
) -> ReviewItem:
    """Keep a review, whoever has the item in hand; the draft goes. What changes an earlier one of
    the same reviewer is a new number, what says the same is none. An adjudication ends the item,
    and stands beside the review of the same person.

    Raises UsageError for an unknown item or reviewer, or a value that is not allowed.
    """
    said = checked_review(review)
    with open_ledger(home).write() as connection:
        check_reviewer(connection, reviewer)
        row = row_of(connection, item_id, app)
        before = _standing(connection, item_id, reviewer, adjudicates)
        if said.verdict == "withdrawn" and (before is None or before.verdict == "withdrawn"):
            raise UsageError("there is no review of this person to withdraw", where="verdict")
        if before is None or not says_the_same(before, said):
            _written(connection, row, reviewer, said, adjudicates)
            settle(connection, [row])
        let_go(connection, item_id, reviewer)
        return completed(connection, [row_of(connection, item_id, app)], reviewer)[0]


def history(home: Path, item_id: ItemId) -> list[ReviewRow]:
    """All that was ever said of an item, oldest first."""
    query = select(reviews).where(reviews.c.item_id == item_id)
    query = query.order_by(reviews.c.created_at, reviews.c.reviewer, reviews.c.number)
    with existing_ledger(home).read() as connection:
        row_of(connection, item_id)
        return [review_of(row) for row in connection.execute(query)]


def outcome(standing: Sequence[ReviewRow], wanted: int) -> ItemOutcome:
    """What an item comes to by the reviews that hold: the newest adjudication decides, else as many
    as are wanted where they agree.
    """
    valid = [each for each in standing if each.verdict != "withdrawn"]
    if rulings := [each for each in valid if each.adjudicates]:
        return _closed(max(rulings, key=lambda each: each.created_at).verdict)
    verdicts = {each.verdict for each in valid}
    if len(valid) < wanted:
        return ItemOutcome("open")
    return _closed(verdicts.pop()) if len(verdicts) == 1 else ItemOutcome("disputed")


def settle(connection: Connection, rows: Sequence[Row[tuple[object, ...]]]) -> None:
    """Make the states of items what their reviews say."""
    for row in rows:
        standing = (reviews.c.item_id == row.id) & reviews.c.latest
        said = [review_of(each) for each in connection.execute(select(reviews).where(standing))]
        became = outcome(said, int(row.wanted))
        agrees = (reviews.c.verdict == became.verdict) if became.verdict else null()
        connection.execute(update(reviews).where(standing).values(agrees=agrees))
        if (row.state, row.verdict) == became:
            continue
        values = {
            "state": became.state,
            "verdict": became.verdict,
            "closed_at": None if became.state in ("open", "disputed") else now(),
        }
        mine = review_items.c.id == row.id
        connection.execute(update(review_items).where(mine).values(**values))


def _closed(verdict: str) -> ItemOutcome:
    return ItemOutcome("discarded" if verdict == "discard" else "done", verdict)


def _standing(
    connection: Connection, item_id: ItemId, reviewer: str, adjudicates: bool
) -> ReviewRow | None:
    mine = (reviews.c.item_id == item_id) & (reviews.c.reviewer == reviewer) & reviews.c.latest
    mine &= reviews.c.adjudicates == adjudicates
    row = connection.execute(select(reviews).where(mine)).first()
    return review_of(row) if row is not None else None


def says_the_same(before: ReviewRow, said: Review) -> bool:
    """Of a review that is kept, and one that is checked."""
    return (before.verdict, before.correction, before.relevant, before.comment) == said[:4]


def _written(
    connection: Connection,
    row: Row[tuple[object, ...]],
    reviewer: str,
    said: Review,
    adjudicates: bool,
) -> None:
    mine = (reviews.c.item_id == row.id) & (reviews.c.reviewer == reviewer)
    number = connection.scalar(select(func.max(reviews.c.number)).where(mine)) or 0
    former = update(reviews).where(mine, reviews.c.adjudicates == adjudicates)
    connection.execute(former.values(latest=False))
    values = {
        **said._asdict(),
        "relevant": list(said.relevant),
        "item_id": row.id,
        "reviewer": reviewer,
        "number": number + 1,
        "app": row.app,
        "queue": row.queue,
        "trace_id": row.trace_id,
        "adjudicates": adjudicates,
        "latest": True,
        "created_at": now(),
    }
    connection.execute(insert(reviews).values(**values))


def verdict_of(said: str) -> Said:
    """Raises UsageError for a verdict that is none."""
    known = next((each for each in VERDICTS if each == said), None)
    if known is None:
        told = f"allowed: {', '.join(VERDICTS)}"
        raise UsageError(f"got the verdict {str(said)[:40]!r}", where="verdict", hint=told)
    return known


def unsure(review: Review, answer: str) -> UsageError | None:
    """Good beside another answer than the one that was given: one of the two is not meant. What
    people settle on would be the other answer, though they called this one good.
    """
    better = review.correction.replace("\r\n", "\n").strip()
    if review.verdict != "good" or better in ("", answer.strip()):
        return None
    told = "got the verdict good and a better answer: one of the two is not meant"
    hint = "say bad, with the correction, or good, without it"
    return UsageError(told, where="verdict", hint=hint)


def checked_review(review: Review) -> Review:
    """As it is kept. Raises UsageError for a value that is not allowed."""
    verdict_of(review.verdict)
    for name, text, most in (
        ("comment", review.comment, COMMENT_LENGTH),
        ("correction", review.correction, CORRECTION_LENGTH),
        *(("relevant", each, LONGEST_NAME) for each in review.relevant),
    ):
        if len(text) > most:
            raise UsageError(
                f"the {name} has {len(text):,} characters, allowed: {most:,}", where=name
            )
    if len(review.relevant) > MOST_RELEVANT:
        raise UsageError(
            f"got {len(review.relevant)} relevant passages, allowed: {MOST_RELEVANT}",
            where="relevant",
        )
    if not 0 <= review.seconds <= LONGEST_SECONDS:
        review = review._replace(seconds=min(max(0.0, review.seconds), LONGEST_SECONDS))
    if review.verdict == "withdrawn":
        return Review("withdrawn", seconds=review.seconds)
    return Review(
        verdict=review.verdict,
        correction=str(storable(masked_text(review.correction))),
        relevant=tuple(str(storable(each)) for each in dict.fromkeys(review.relevant)),
        comment=str(storable(masked_text(review.comment))),
        seconds=review.seconds,
    )
