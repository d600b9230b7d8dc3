"""Scorers that ask nobody: all answers at once, and what a broken scorer counts as.

A scorer may be anybody's code. One that raises for an answer has failed on that answer: its score
says so, counts among the failures of its metric, and above `max_error_rate` no decision rests on
it. It does not end the run: the other scorers' work would be lost for one odd answer. What no
answer is to blame for (a missing library, a model that is gone, memory) ends it.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from traceback import extract_tb

from llmops.tasks.errors import LlmopsError
from llmops.tasks.plugins.scorers import Sample, Score, Scorer

GRAVE = (LlmopsError, MemoryError)


def marks(scorer: Scorer, samples: Sequence[Sample]) -> list[Score]:
    """A score for each answer, in order. A case that lacks what the scorer needs has no value, and
    the reason says what.
    """
    lacks = [_lack(scorer, sample) for sample in samples]
    found = iter(
        _all(scorer, [sample for sample, lack in zip(samples, lacks, strict=True) if lack is None])
    )
    return [next(found) if lack is None else lack for lack in lacks]


def broken(error: Exception) -> Score:
    """What a scorer that raised has scored: nothing, and where it broke."""
    frames = extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    said = str(error).encode("utf-8", "replace").decode()[:300]
    return Score(
        value=None, failed=True, reason=f"the scorer broke: {type(error).__name__}: {said}{place}"
    )


def sound(score: object) -> Score:
    """The score, if it is one: numbers that can be compared, or none."""
    if not isinstance(score, Score):
        return Score(
            value=None,
            failed=True,
            reason=f"the scorer broke: it gave {type(score).__name__}, a Score is wanted",
        )
    odd = [
        name
        for name, value in {"value": score.value or 0.0, **score.parts}.items()
        if not math.isfinite(value)
    ]
    return (
        Score(
            value=None,
            failed=True,
            reason=f"the scorer broke: {', '.join(odd)} is not a finite number",
        )
        if odd
        else score
    )


def _lack(scorer: Scorer, sample: Sample) -> Score | None:
    try:
        lack = scorer.missing(sample.case)
    except GRAVE:
        raise
    except Exception as error:  # noqa: BLE001 - see the module's first lines
        return broken(error)
    return None if lack is None else Score(value=None, reason=lack)


def _all(scorer: Scorer, samples: Sequence[Sample]) -> list[Score]:
    try:
        found = scorer.score_all(samples) if samples else []
    except GRAVE:
        raise
    except Exception:  # noqa: BLE001 - one by one the others keep their scores
        return [_one(scorer, sample) for sample in samples]
    return (
        [sound(score) for score in found]
        if len(found) == len(samples)
        else [_one(scorer, sample) for sample in samples]
    )


def _one(scorer: Scorer, sample: Sample) -> Score:
    try:
        return sound(scorer.score(sample))
    except GRAVE:
        raise
    except Exception as error:  # noqa: BLE001 - see the module's first lines
        return broken(error)
