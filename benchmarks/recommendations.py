"""How often the monitor's recommendations are right, on public judged sets.

    LLMOPS_BENCH_DATA=/data python -m benchmarks.recommendations [--sets NAME …] [--quick]

Of each set three pages of ten are left out of the knowledge base; all questions are asked of the
served application with the offline model. A row of the list of unanswered questions is right where
most of the questions in it are about a page that was left out. Weeks of 300 questions are drawn;
beside the list stand the refusals alone and the questions with the lowest search scores. The
borders and weights were chosen on the sets that are marked so, and on nothing else.

Ratings are simulated, on what was really found and cited: where an answer cites a passage that was
drawn as bad it is rated down in 8 of 10 cases, else in 1 of 10; three answers of ten are rated.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from random import Random
from statistics import fmean

from benchmarks.command import data_folder
from benchmarks.left_out import JudgedSet, asked, beir, built, feedbackqa
from llmops.tasks.monitoring.bad_passages import LEAST, bad_passages
from llmops.tasks.monitoring.traffic import Exchange
from llmops.tasks.monitoring.unanswered import MOST, unanswered
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.statistics.intervals import wilson_interval

QUESTIONS = 1_500
SETS: dict[str, Callable[[Path], JudgedSet]] = {
    "feedbackqa-valid": lambda data: feedbackqa(data, "valid"),
    "feedbackqa-test": lambda data: feedbackqa(data, "test"),
    "xquad-zh": lambda data: beir(data, "xquad-zh", QUESTIONS),
    "jsquad-valid": lambda data: beir(data, "jsquad-valid", QUESTIONS),
    "pquad-val-test": lambda data: beir(data, "pquad-val-test", QUESTIONS),
}
CHOSEN_ON = ("feedbackqa-valid", "xquad-zh")
WEEK, WEEKS, RATED_WEEKS = 300, 20, 200
RATED, BAD, PLANTED = 0.3, 0.05, (0.1, 0.8)
"""The share of answers that are rated, of passages that are bad; how often an answer is rated down
that cites none, or one, of the bad ones.
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", choices=tuple(SETS), default=list(SETS))
    parser.add_argument("--quick", action="store_true", help="few weeks")
    chosen, data = parser.parse_args(), data_folder()
    weeks = (5, 20) if chosen.quick else (WEEKS, RATED_WEEKS)
    for name in chosen.sets:
        with tempfile.TemporaryDirectory() as folder:
            judged = SETS[name](data)
            home = built(Path(folder), judged)
            exchanges = asked(home, judged.questions)
            report(name, home, judged, exchanges, weeks)
    return 0


def report(
    name: str,
    home: Path,
    judged: JudgedSet,
    exchanges: Sequence[Exchange],
    weeks: tuple[int, int],
) -> None:
    """Lines of JSON."""
    missing = judged.left_out()
    wrong = {each.id for each in judged.questions if set(each.uris) <= missing}
    about = {
        "set": name,
        "chosen_on": name in CHOSEN_ON,
        "questions": len(exchanges),
        "left_out": round(len(wrong) / len(exchanges), 3),
        "refused": round(fmean(each.status == "refused" for each in exchanges), 3),
    }
    tell(about | lists(home, exchanges, wrong, weeks[0]))
    tell({"set": name, "passages": marked(home, exchanges, weeks[1])})


def lists(
    home: Path, exchanges: Sequence[Exchange], wrong: Collection[str], weeks: int
) -> dict[str, object]:
    """Precision of the twenty rows, and of the two simple lists; recall of the twenty and of all
    rows, of the questions about what was left out.
    """
    embedder = Spec(name="minilm").build(Embedder)
    found: dict[str, list[float]] = {}
    for number in range(weeks):
        week = Random(number).sample(exchanges, min(WEEK, len(exchanges)))
        rows = [each.trace_ids for each in unanswered(home, week, embedder, len(week)).questions]
        refused = [(each.id,) for each in week if each.status == "refused"]
        lowest = sorted(week, key=lambda each: max((_score(each)), default=0.0))
        values = {
            "precision": _right(rows[:MOST], wrong),
            "precision_all": _right(rows, wrong),
            "recall": _recall(rows[:MOST], week, wrong),
            "recall_all": _recall(rows, week, wrong),
            "rows": float(len(rows)),
            "refusals": _right(refused[:MOST], wrong),
            "lowest_scores": _right([(each.id,) for each in lowest[:MOST]], wrong),
        }
        for key, value in values.items():
            found.setdefault(key, []).append(value)
    told: dict[str, object] = {key: round(fmean(values), 3) for key, values in found.items()}
    ends = [round(end(found["precision"]), 3) for end in (min, max)]
    return told | {"weeks": weeks, "precision_of_weeks": ends}


def _score(exchange: Exchange) -> list[float]:
    return [each.score for each in exchange.passages if each.score is not None]


def _right(rows: Sequence[Sequence[str]], wrong: Collection[str]) -> float:
    """The share of rows most of whose questions are about what was left out."""
    if not rows:
        return 0.0
    return fmean(2 * sum(each in wrong for each in row) > len(row) for row in rows)


def _recall(
    rows: Sequence[Sequence[str]], week: Sequence[Exchange], wrong: Collection[str]
) -> float:
    told = {each for row in rows for each in row}
    of = [each.id for each in week if each.id in wrong]
    return fmean(each in told for each in of) if of else 0.0


def marked(home: Path, exchanges: Sequence[Exchange], weeks: int) -> dict[str, object]:
    """Of the passages that answers cite, and, beside that, of all that were found: how many of the
    bad ones with enough ratings are named, and how many that are named are bad; and the share of
    weeks without any bad passage that name one all the same.
    """
    cited = sorted({one.chunk_id for each in exchanges for one in each.passages if one.cited})
    told: dict[str, object] = {}
    for way in ("cited", "found"):
        named = right = there = alarms = 0
        for number in range(weeks):
            random = Random(number)
            bad = {chunk for chunk in cited if random.random() < BAD}
            week = _rated(exchanges, bad, random)
            if way == "found":
                week = [_all_cited(each) for each in week]
            passages = {each.chunk_id for each in bad_passages(home, week).passages}
            named, right = named + len(passages), right + len(passages & bad)
            there += len(_enough(week) & bad)
            quiet = _rated(exchanges, (), random)
            if way == "found":
                quiet = [_all_cited(each) for each in quiet]
            alarms += bool(bad_passages(home, quiet).passages)
        told[way] = {
            "named_a_week": round(named / weeks, 2),
            "precision": round(right / named, 3) if named else None,
            "recall": round(right / there, 3) if there else None,
            "false_alarms": [
                round(alarms / weeks, 3),
                *(round(end, 3) for end in wilson_interval(alarms, weeks)),
            ],
        }
    return told


def _rated(exchanges: Sequence[Exchange], bad: Collection[str], random: Random) -> list[Exchange]:
    made = []
    for each in exchanges:
        cites = any(one.cited and one.chunk_id in bad for one in each.passages)
        down = random.random() < PLANTED[cites]
        rating = ("down" if down else "up") if random.random() < RATED else None
        made.append(each.model_copy(update={"rating": rating}))
    return made


def _all_cited(exchange: Exchange) -> Exchange:
    passages = tuple(each.model_copy(update={"cited": True}) for each in exchange.passages)
    return exchange.model_copy(update={"passages": passages})


def _enough(week: Sequence[Exchange]) -> set[str]:
    """Passages that enough people rated."""
    raters: dict[str, int] = {}
    for each in week:
        for chunk in {one.chunk_id for one in each.passages if one.cited and each.rating}:
            raters[chunk] = raters.get(chunk, 0) + 1
    return {chunk for chunk, count in raters.items() if count >= LEAST}


def tell(row: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
