"""Prefect's tasks as ours are: their arguments are references, which Prefect need not look into."""

from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import prefect
from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.context import FlowRunContext
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.utilities.annotations import opaque

P = ParamSpec("P")
R = TypeVar("R")


class ReferenceTask(Task[P, R]):
    """A task whose arguments are futures, references, or lists of those.

    Prefect would look for futures in all that they hold, several times for each task run, and hash
    it for its cache: every document of a plan, every field of a config. What is remembered between
    runs is in the ledger.
    """

    if not TYPE_CHECKING:  # what a call takes and gives is said by Prefect's own signatures

        def __call__(self, *given: object, **named: object) -> object:
            return super().__call__(*map(_whole, given), **_each(named))

        def submit(self, *given: object, **named: object) -> object:
            if not _in_threads():
                return super().submit(*given, **named)
            return super().submit(*map(_whole, given), **_each(named))

        def with_options(self, **options: object) -> "Task[P, R]":
            """The same task with other settings of Prefect."""
            return _by_reference(super().with_options(**options))


def task(
    *, task_run_name: str, name: str | None = None
) -> Callable[[Callable[P, R]], "Task[P, R]"]:
    """Prefect's decorator, for a task whose arguments are references."""

    def made(function: Callable[P, R]) -> "Task[P, R]":
        plain = prefect.task(name=name, task_run_name=task_run_name, cache_policy=NO_CACHE)
        return _by_reference(plain(function))

    return made


def _in_threads() -> bool:
    """Not on a cluster: Dask takes what Prefect marks for a plain tuple, and hands that on."""
    context = FlowRunContext.get()
    return context is None or isinstance(context.task_runner, ThreadPoolTaskRunner)


def _by_reference(made: "Task[P, R]") -> "Task[P, R]":
    made.__class__ = ReferenceTask
    return made


def _each(named: dict[str, object]) -> dict[str, object]:
    own = ("return_state", "wait_for")  # Prefect's, not the function's
    return {key: value if key in own else _whole(value) for key, value in named.items()}


def _whole(argument: object) -> object:
    """Of a list each, so that Prefect draws from which task runs it comes."""
    if isinstance(argument, list):
        return [*map(opaque, argument)]
    return opaque(argument)
