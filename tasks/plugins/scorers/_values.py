"""What other people's scorers give, as a Score: numbers, yes and no, MLflow's Feedback, results of
ragas, pairs with a reason, lists and mappings of these.
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from math import isfinite
from statistics import fmean
from typing import Any

from llmops.tasks.plugins.scorers import Score
from llmops.tasks.plugins.scorers._judging import plain

YES = frozenset({"yes", "true", "pass", "passed", "correct"})
NO = frozenset({"no", "false", "fail", "failed", "incorrect"})
NOTHING = frozenset({"", "unknown", "none", "null", "n/a"})
"""Words that say that there is no grade."""
LONGEST = 1000
Values = Mapping[str, float]
"""What texts are worth, as the option `values` says it."""


class NoValue(Exception):
    """What was given is no grade, although it was meant to be one."""


def score_of(given: object, values: Values) -> Score:
    """The score of what a scorer gave. It has failed where that is no grade at all, and has no
    value where the scorer says that it has none.
    """
    try:
        return _score(given, values)
    except NoValue as error:
        return Score(value=None, failed=True, reason=f"the scorer gave {plain(str(error))}")


def _score(given: object, values: Values) -> Score:
    if isinstance(given, Score):
        return given
    if isinstance(given, Mapping):
        return _of_mapping(given, values)
    if _is_graded(given):
        return _of_graded(given, values)
    if isinstance(given, Sequence) and not isinstance(given, str | bytes):
        return _of_list(given, values)
    value = _number(given, values)
    return Score(value=value, reason="" if value is not None else _nothing(given))


def _is_graded(given: object) -> bool:
    """Whether it holds a value beside its reason, as Feedback and MetricResult do."""
    return (
        not isinstance(given, Enum)
        and hasattr(given, "value")
        and any(hasattr(given, name) for name in ("rationale", "reason", "error"))
    )


def _of_graded(given: object, values: Values) -> Score:
    if error := getattr(given, "error", None):
        said = getattr(error, "error_message", None) or error
        return Score(value=None, failed=True, reason=_cut(f"the scorer failed: {said}"))
    graded = _score(getattr(given, "value"), values)  # noqa: B009 - of any class
    said = getattr(given, "rationale", None) or getattr(given, "reason", None) or graded.reason
    return graded.model_copy(update={"reason": _cut(str(said))})


def _of_list(given: Sequence[object], values: Values) -> Score:
    """A grade with its reason; else the mean of several, each named one a part."""
    if len(given) == 2 and isinstance(given[1], str) and not isinstance(given[0], str):
        graded = _score(given[0], values)
        return graded.model_copy(update={"reason": _cut(given[1])})
    scores = [(str(getattr(each, "name", "") or ""), _score(each, values)) for each in given]
    if failed := next((score for _, score in scores if score.failed), None):
        return failed
    known = [(name, score.value) for name, score in scores if score.value is not None]
    reasons = "\n".join(score.reason for _, score in scores if score.reason)
    if not known:
        return Score(value=None, reason=_cut(reasons) or "the scorer gave no grade")
    named = {name for name, _ in known if name} if len({name for name, _ in known}) > 1 else set()
    parts = {part: fmean(value for name, value in known if name == part) for part in sorted(named)}
    return Score(value=fmean(value for _, value in known), reason=_cut(reasons), parts=parts)


def _of_mapping(given: Mapping[object, object], values: Values) -> Score:
    """`value` or `score`, and `reason` or `rationale`; the other numbers are parts."""
    main = next((name for name in ("value", "score") if name in given), None)
    if main is None:
        names = ", ".join(map(str, given)) or "nothing"
        raise NoValue(f"a mapping of {names}; it needs `value` or `score`")
    graded = _score(given[main], values)
    reason = given.get("reason") or given.get("rationale") or graded.reason
    parts = {
        str(name): float(value)
        for name, value in given.items()
        if name != main and isinstance(value, int | float) and isfinite(value)
    }
    return graded.model_copy(update={"reason": _cut(str(reason)), "parts": parts})


def _number(given: object, values: Values) -> float | None:
    """A number; None for what says that there is no grade. Raises NoValue."""
    if given is None:
        return None
    plain_value: Any = given.value if isinstance(given, Enum) else given
    if isinstance(plain_value, str):
        return _of_text(plain_value, values)
    try:
        number = float(plain_value)
    except (TypeError, ValueError) as error:
        kind = type(given).__name__
        raise NoValue(f"the type {kind}; a number, yes or no, or a text is wanted") from error
    if not isfinite(number):
        raise NoValue(f"{number}, which is not a finite number")
    return number


def _of_text(text: str, values: Values) -> float | None:
    word = text.strip().casefold()
    worth = {name.strip().casefold(): value for name, value in values.items()}
    if word in worth:
        return worth[word]
    if word in YES | NO:
        return float(word in YES)
    if word in NOTHING:
        return None
    try:
        number = float(word)
    except ValueError as error:
        shown = text.strip()[:60]
        hint = f"`values: {{{shown}: 0.5}}`" if len(shown) < 30 else "the option `values`"
        raise NoValue(f"the text {shown!r}; say what it is worth in {hint}") from error
    if not isfinite(number):
        raise NoValue(f"{word}, which is not a finite number")
    return number


def _nothing(given: object) -> str:
    return "the scorer gave no grade" + ("" if given is None else f": {plain(str(given))[:60]}")


def _cut(text: str) -> str:
    told = plain(text.strip())
    return told if len(told) <= LONGEST else f"{told[:LONGEST]}…"
