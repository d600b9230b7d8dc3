"""A scorer of yours, or of any library: a function or a class by its import path."""

import asyncio
import inspect
from collections.abc import Callable, Mapping
from functools import cached_property

from pydantic import Field

from llmops.tasks.plugins.importing import Foreign
from llmops.tasks.plugins.scorers import Case, Sample, Score
from llmops.tasks.plugins.scorers._expected import at, is_reference, value_at
from llmops.tasks.plugins.scorers._imported import ANSWER, DirectScorer, best, contexts

NAMES: Mapping[str, Callable[[Sample], object]] = {
    "question": lambda sample: sample.question,
    "answer": lambda sample: sample.answer,
    "passages": contexts,
    "expected": lambda sample: sample.case.expected,
    "inputs": lambda sample: sample.case.inputs,
    "parsed": lambda sample: sample.parsed,
    "sample": lambda sample: sample,
    "outputs": lambda sample: sample.answer,
    "expectations": lambda sample: sample.case.expected,
}
"""What a function may ask for, by the names of its parameters; the last two are MLflow's."""
NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class FunctionScorer(DirectScorer):
    """Asks the function at `path`, or an object of the class there, made with `options`; a function
    gets `options` with each call. It is given what its parameters are called: question, answer,
    passages (texts), expected, inputs, parsed or sample.

    `arguments` says where other parameters come from: `{prediction: answer, reference:
    expected.answer}`; of several expected answers the best counts. It gives a number, yes or no,
    true or false, a pair with the reason, or a mapping with `value`.
    """

    arguments: dict[str, str] = Field(default_factory=dict)

    def missing(self, case: Case) -> str | None:
        """What an argument refers to."""
        places = [each for each in self.arguments.values() if is_reference(each)]
        absent = [each for each in places if value_at(case, each) in (None, "", [])]
        return f"{absent[0]} is missing" if absent else None

    def scored(self, sample: Sample) -> Score:
        """Of what the function gives."""
        if ANSWER not in self.arguments.values():
            return self._called(sample, None)
        return best(sample.case, lambda expected: self._called(sample, expected))

    def _called(self, sample: Sample, expected: str | None) -> Score:
        positional, named = [], {}
        for name, kind in self._parameters.items():
            value = self._value(self.arguments.get(name, name), sample, expected)
            if kind is inspect.Parameter.POSITIONAL_ONLY:
                positional.append(value)
            else:
                named[name] = value
        given = self._made(*positional, **named)
        return self.graded(asyncio.run(_awaited(given)) if inspect.isawaitable(given) else given)

    def _value(self, place: str, sample: Sample, expected: str | None) -> object:
        if place == ANSWER:
            return expected
        if is_reference(place):
            return value_at(sample.case, place)
        name, _, inner = place.partition(".")
        return at(sample.parsed, inner) if inner else NAMES[name](sample)

    def _suits(self, kind: Foreign) -> None:
        super()._suits(kind)
        if isinstance(kind, type) and not any("__call__" in vars(each) for each in kind.__mro__):
            raise ValueError(f"objects of {self.path} cannot be called: the class has no __call__")
        for place in self.arguments.values():
            if not (is_reference(place) or place in NAMES or place.startswith("parsed.")):
                raise ValueError(
                    f"arguments: got {place!r}; allowed: {', '.join(NAMES)}, and places such as "
                    "expected.answer, inputs.question or parsed.label"
                )
        given = {*self.arguments, *(() if isinstance(kind, type) else self.options)}
        takes, free = self._taken
        if takes is None:
            return
        if unknown := sorted({*self.arguments} - {*takes}) if not free else []:
            raise ValueError(
                f"arguments: {self.path} has no parameter {', '.join(unknown)}; "
                f"it takes {', '.join(takes) or 'none'}"
            )
        wanted = [name for name, needs in takes.items() if needs and name not in given]
        if absent := [name for name in wanted if name not in NAMES]:
            raise ValueError(
                f"{self.path} takes {', '.join(absent)}, which is none of {', '.join(NAMES)}; "
                f"say where it comes from, as in `arguments: {{{absent[0]}: expected.answer}}`"
            )

    @cached_property
    def _parameters(self) -> dict[str, object]:
        """Those that are filled, and how."""
        signature = _signature(self._called_kind)
        kinds = {} if signature is None else dict(signature.parameters)
        fixed = {} if isinstance(self._kind, type) else self.options
        named = dict.fromkeys(self.arguments, inspect.Parameter.KEYWORD_ONLY)
        own = {
            name: each.kind
            for name, each in kinds.items()
            if name not in fixed and (name in self.arguments or name in NAMES)
        }
        return {**own, **{name: kind for name, kind in named.items() if name not in own}}

    @property
    def _called_kind(self) -> Foreign:
        """What is called with an answer: the function, or the method of objects of the class."""
        return self._kind.__call__ if isinstance(self._kind, type) else self._kind

    @property
    def _taken(self) -> tuple[dict[str, bool] | None, bool]:
        """Its parameters and whether they are needed, None where it does not say; and whether it
        takes any.
        """
        signature = _signature(self._called_kind)
        if signature is None:
            return None, True
        parameters = signature.parameters
        if isinstance(self._kind, type):
            parameters = {name: each for name, each in parameters.items() if name != "self"}  # type: ignore[assignment]
        named = {
            name: each.default is inspect.Parameter.empty
            for name, each in parameters.items()
            if each.kind in (*NAMED, inspect.Parameter.POSITIONAL_ONLY)
        }
        free = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values())
        return named, free

    @cached_property
    def _made(self) -> Foreign:
        from functools import partial

        from llmops.tasks.plugins._foreign import with_objects

        if isinstance(self._kind, type):
            return super()._made
        return partial(self._kind, **with_objects(self.options))


async def _awaited(given: Foreign) -> object:
    return await given


def _signature(function: Foreign) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # made of C
        return None
