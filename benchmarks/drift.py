"""How often a monitor is wrong, and what it finds: the figures of docs/monitoring-statistics.md.

    LLMOPS_BENCH_DATA=/data python -m benchmarks.drift [--quick] [--only years power stays choice]

Weeks are dealt from the questions of FeedbackQA, with the passages that answer them as answers;
what is foreign comes from CLAPNQ, SciFact and the chunking evaluation. Seeded: the same figures
every time. `--years N`: that are simulated, a look each week. `--folder` keeps what was embedded.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy.stats import chi2

from benchmarks.command import data_folder
from benchmarks.drift_data import Corpora, Week, corpora, mixed_week, week
from benchmarks.drift_others import OTHERS, POINTS
from llmops.tasks.schemas import Vectors
from llmops.tasks.statistics.arrays import Array
from llmops.tasks.statistics.change import change_p
from llmops.tasks.statistics.drift import UnitPool, points_of, pooled, scan, surroundings, topic_p
from llmops.tasks.statistics.exchanges import draws_for
from llmops.tasks.statistics.topics import NEAR

WEEKS, WINDOWS, PARTS = 52, 9, 3
RATES = (0.1, 1.0, 10.0)
LEVEL = RATES[0] / PARTS / WEEKS
DRAWS = 3_200
"""Of tables of power: enough for that level, and quicker."""
SMALLEST, LARGEST = 25, 75
DIMENSIONS = 128
"""Principal components of the corpus in the years, which stand for an embedder: it is quicker."""
PROGRESS = 50
"""Years after which the alarms so far are told."""
COMPARED = 10
"""Years in which thresholds of others are tried too."""
METRICS = ("refusal rate", "latency", "cost")
Row = tuple[str, ...]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=list(TABLES), default=list(TABLES))
    parser.add_argument("--quick", action="store_true", help="few years, few weeks")
    parser.add_argument("--years", type=int, default=1_000)
    parser.add_argument("--repeats", type=float, default=1.0, help="times as many as usual")
    parser.add_argument("--largest", type=int, default=LARGEST, help="conversations of a week")
    parser.add_argument("--seed", type=int, default=11, help="of the years")
    parser.add_argument("--folder", type=Path)
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.years, chosen.repeats = min(chosen.years, 10), 0.1
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        given = corpora(data_folder(), folder)
        for name in chosen.only:
            show(name, given, chosen)
    return 0


def show(name: str, given: Corpora, chosen: argparse.Namespace) -> None:
    """One table as Markdown, row by row, and the processor's seconds."""
    began = time.process_time()
    sys.stdout.write(f"\n{name}: {TABLES[name].__doc__}\n\n")
    for number, row in enumerate(TABLES[name](given, chosen)):
        line = "|---" * len(row) + "|\n" if number == 0 else ""
        sys.stdout.write(f"| {' | '.join(row)} |\n{line}")
        sys.stdout.flush()
    sys.stdout.write(f"\n{time.process_time() - began:.0f} s of one core\n")
    sys.stdout.flush()


def years(given: Corpora, chosen: argparse.Namespace) -> Iterator[Row]:
    """False alarms per year of weekly looks, where nothing changes, with 95 % intervals. (What is
    stated is what each line may spend: drift and topics share it, a metric has one of its own.)
    """
    small = given._replace(questions=reduced(given.questions), answers=reduced(given.answers))
    alarms: Counter[tuple[str, float]] = Counter()
    others: Counter[str] = Counter()
    random = np.random.default_rng(chosen.seed)
    kept: deque[Week] = deque(maxlen=WINDOWS)
    compared = min(chosen.years, COMPARED)
    for look in range(chosen.years * WEEKS + WINDOWS - 1):
        count = round(float(np.exp(random.uniform(np.log(SMALLEST), np.log(chosen.largest)))))
        kept.appendleft(week(random, small, count))
        if len(kept) == WINDOWS:
            found = looked(small, list(kept))
            if look < compared * WEEKS + WINDOWS - 1:
                others["the same test at p < .05"] += found["questions"] < 0.05
                others.update(crude(small, list(kept)))
            for rate in RATES:
                told = [name for name, p in found.items() if p <= stated(name, rate) / WEEKS]
                drift = ["drift and topics together"] if {*told} - {*METRICS} else []
                alarms.update((name, rate) for name in [*told, *drift])
            if (look - WINDOWS + 2) % (PROGRESS * WEEKS) == 0:
                done = (look - WINDOWS + 2) // WEEKS
                print(f"after {done} years: {sorted(alarms.items())}", file=sys.stderr, flush=True)
    yield "", *(f"stated {rate:g} a year" for rate in RATES)
    names = ("questions", "answers", "new topics", "drift and topics together", *METRICS)
    for name in names:
        told = [alarm_rate(alarms[name, rate], chosen.years) for rate in RATES]
        limits = [f"at most {stated(name, rate):.2g}: " for rate in RATES]
        yield name, *(limit + each for limit, each in zip(limits, told, strict=True))
    for name in ("the same test at p < .05", *OTHERS):
        yield name, *([alarm_rate(others[name], compared)] * len(RATES))


def stated(name: str, rate: float) -> float:
    return rate / PARTS if name in ("questions", "answers", "new topics") else rate


def alarm_rate(alarms: int, given_years: int) -> str:
    """Per year, with the exact interval of a Poisson count (Garwood 1936)."""
    low = float(chi2.ppf(0.025, 2 * alarms)) / 2 if alarms else 0.0
    high = float(chi2.ppf(0.975, 2 * alarms + 2)) / 2
    return f"{alarms / given_years:.3f} [{low / given_years:.3f}, {high / given_years:.3f}]"


def looked(given: Corpora, weeks: Sequence[Week]) -> dict[str, float]:
    """The p of each test at one look."""
    pool = pool_of(given.questions, weeks)
    around = surroundings(pool, NEAR)
    points = points_of(pool, around.unlike)
    mine = (pool.ages[pool.unit_of_row] == 0) & (around.best_before < NEAR)
    size = int(around.alike[mine].max(initial=0))
    found = {
        "questions": scan(points, pool.ages, draws_for(LEVEL))[0],
        "new topics": topic_p(size, around.alike, pool.current, pool.units) if size else 1.0,
    }
    answers = pool_of(given.answers, weeks)
    unlike = surroundings(answers, NEAR).unlike
    found["answers"] = scan(points_of(answers, unlike), answers.ages, draws_for(LEVEL))[0]
    for name, values in zip(METRICS, ("refused", "latency", "cost"), strict=True):
        before = np.concatenate([getattr(each, values) for each in weeks[1:]])
        labels = [(age, label) for age, each in enumerate(weeks[1:]) for label in each.labels]
        now = getattr(weeks[0], values)
        p = change_p(before, labels, now, weeks[0].labels, "either", level=LEVEL)
        found[name] = 1.0 if p is None else p
    return found


def crude(given: Corpora, weeks: Sequence[Week]) -> list[str]:
    """Which thresholds of others would be an alarm."""
    pool = pool_of(given.questions, weeks)
    now = pool.ages[pool.unit_of_row] == 0
    both = pool.vectors[now], pool.vectors[~now]
    return [name for name, told in OTHERS.items() if told(*both)]


def pool_of(vectors: Vectors, weeks: Sequence[Week]) -> UnitPool:
    units = [(age, rows) for age, each in enumerate(weeks) for rows in each.rows]
    sizes = np.array([len(rows) for _, rows in units])
    every = [row for _, rows in units for row in rows]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    return UnitPool(vectors[every], starts, np.array([age for age, _ in units]))


def reduced(vectors: Vectors) -> Vectors:
    _, axes = np.linalg.eigh(vectors.T @ vectors)
    short = vectors @ axes[:, ::-1][:, :DIMENSIONS]
    return np.asarray(short / np.linalg.norm(short, axis=1, keepdims=True), np.float32)


def power(given: Corpora, chosen: argparse.Namespace) -> Iterator[Row]:
    """Share of weeks that are found at .1 false alarms a year (drift of questions spends a third),
    by the share of questions from another corpus; CLAPNQ and SciFact in turn.
    """
    shares = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
    yield "week", *(f"{share:.0%}" for share in shares)
    for count, times in {50: 40, 100: 40, 300: 20, 1_000: 8}.items():
        number = max(1, round(times * chosen.repeats))
        if chosen.quick and count > 300:
            continue
        made = [np.mean([found(given, count, share, n) for n in range(number)]) for share in shares]
        yield f"{count:,} ({number} each)", *(f"{value:.0%}" for value in made)


def found(given: Corpora, count: int, share: float, number: int) -> bool:
    random = np.random.default_rng([number, count, round(1_000 * share)])
    other = given.foreign[("clapnq", "scifact")[number % 2]]
    before = [mixed_week(random, given, other, min(count, 500), 0) for _ in range(WINDOWS - 1)]
    return test_of([mixed_week(random, given, other, count, share), *before]) <= LEVEL


def test_of(windows: Sequence[Sequence[Vectors]]) -> float:
    pool = pooled(windows)
    return scan(points_of(pool, surroundings(pool, NEAR).unlike), pool.ages, DRAWS)[0]


def stays(given: Corpora, chosen: argparse.Namespace) -> Iterator[Row]:
    """Weeks until a shift that stays is found (median; share found within eight weeks)."""
    shares, times = (0.02, 0.05, 0.1, 0.2), max(1, round(16 * chosen.repeats))
    yield "week", *(f"{share:.0%}" for share in shares)
    for count in (50, 100) if chosen.quick else (50, 100, 300):
        row = []
        for share in shares:
            weeks = [until(given, count, share, n) for n in range(times)]
            median = float(np.median(weeks))
            within = np.mean([each <= 8 for each in weeks])
            row.append(f"{'over 8' if median > 8 else f'{median:g}'} ({within:.0%})")
        yield f"{count:,}", *row


def until(given: Corpora, count: int, share: float, number: int) -> int:
    """The first week at which it is found; 9 for never."""
    random = np.random.default_rng([number, count, round(1_000 * share), 5])
    other = given.foreign[("clapnq", "scifact")[number % 2]]
    weeks = deque((mixed_week(random, given, other, count, 0) for _ in range(8)), maxlen=WINDOWS)
    for at in range(1, 9):
        weeks.appendleft(mixed_week(random, given, other, count, share))
        if test_of(list(weeks)) <= LEVEL:
            return at
    return 9


def choice(given: Corpora, chosen: argparse.Namespace) -> Iterator[Row]:
    """Share of weeks of 100 questions that are found at p < .01, by the points compared."""
    cases = [
        ("clapnq", 0.1),
        ("clapnq", 0.2),
        ("scifact", 0.1),
        ("chunking", 0.1),
        ("Australia", 0.5),
    ]
    yield "points", *(f"{name} {share:.0%}" for name, share in cases)
    times = max(1, round(40 * chosen.repeats))
    hits: dict[str, list[Array]] = {name: [] for name in POINTS}
    for name, share in cases:
        told = {each: np.zeros(times) for each in POINTS}
        for number in range(times):
            random = np.random.default_rng([number, round(1_000 * share), 9])
            other = given.foreign[name]
            before = [mixed_week(random, given, other, 100, 0) for _ in range(WINDOWS - 1)]
            pool = pooled([mixed_week(random, given, other, 100, share), *before])
            unlike = surroundings(pool, NEAR).unlike
            for each, points in POINTS.items():
                told[each][number] = scan(points(pool, unlike), pool.ages, 1_000)[0] <= 0.01
        for each in POINTS:
            hits[each].append(told[each])
    for each, columns in hits.items():
        yield each, *(f"{column.mean():.0%}" for column in columns)


TABLES = {"years": years, "power": power, "stays": stays, "choice": choice}

if __name__ == "__main__":
    raise SystemExit(main())
