"""Our flows as functions of Python: called with a config in any form, in a flow of the user's own
or without one, in a script or a notebook, they return their typed outcome.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from prefect import Flow
from prefect import settings as known
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.states import Failed
from pydantic import InstanceOf

from llmops import configs
from llmops.configs.section import FlowConfig
from llmops.configs.settings import settings
from llmops.configs.trained import with_models
from llmops.flows import server
from llmops.flows.progress_artifact import drawn
from llmops.tasks import progress
from llmops.tasks.errors import ConfigError, LlmopsError, Mistake, disk_trouble
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.runs import saved_outcome
from llmops.tasks.running import noted

C = TypeVar("C", bound=FlowConfig)
T = TypeVar("T")
P = ParamSpec("P")
R = TypeVar("R")
Given = InstanceOf[C] | Path | str | Mapping[str, object]
"""A config: read already, its file, or what the file would say."""


def settled(config: Given[C], home: Path | str | None, model: type[C]) -> tuple[C, Path]:
    """The config, read, with the trained models that it names as they are now; and the home,
    absolute; without one, that of the settings. Raises ConfigError with every mistake, UsageError
    for a trained model that there is not.
    """
    default = settings().absolute_home
    place = default if home is None else Path(home).expanduser().absolute()
    if isinstance(config, model):
        return with_models(place, config), place
    if isinstance(config, str | Path):
        return with_models(place, configs.read(_there(Path(config)), model)), place
    if isinstance(config, Mapping):
        return with_models(place, configs.read_mapping(config, model)), place
    raise LlmopsError(
        f"got a {type(config).__name__}, wanted a {model.__name__}, its file or a mapping",
        hint=f"as in {model.flow_name()}('{model.flow_name()}.yaml')",
    )


def _there(path: Path) -> Path:
    """The path of a config. Raises ConfigError where a schedule has outlived its config."""
    context = FlowRunContext.get()
    scheduled = context and context.flow_run and context.flow_run.deployment_id
    if scheduled and not path.exists():
        hint = "`llmops deploy` removes the schedules of configs that are gone"
        raise ConfigError([Mistake("the config of this schedule is gone", str(path), hint)])
    return path


class HouseFlow(Flow[P, R]):
    """A Prefect flow whose first two parameters are a config and a home. A call returns what
    `returned` makes of the outcome's JSON; with `return_state`, Prefect's state.
    """

    model: type[FlowConfig]
    returned: Callable[[dict[str, Any]], R]

    if not TYPE_CHECKING:  # what a call takes and gives is said by Prefect's own signatures

        def __call__(
            self,
            config: Given[FlowConfig],
            home: Path | str | None = None,
            *,
            return_state: bool = False,
            **options: object,
        ) -> R | State[R]:
            # a mapping's secrets must not become parameters that Prefect stores
            read, place = settled(config, home, self.model)
            with connected(place):
                state = super().__call__(read, place, return_state=True, **options)
            return state if return_state else self.returned(outcome(place, state))

    def with_options(self, **options: Any) -> "HouseFlow[P, R]":
        """The same flow with other settings of Prefect."""
        other = super().with_options(**options)
        return callable_with(self.model, self.returned)(other)


def callable_with(
    model: type[FlowConfig], returned: Callable[[dict[str, Any]], R]
) -> Callable[[Flow[P, Any]], HouseFlow[P, R]]:
    """For a flow, above Prefect's own decorator: the model of its config, and what a call returns
    of the outcome's JSON.
    """

    def made(flow: Flow[P, Any]) -> HouseFlow[P, R]:
        if not hasattr(flow.fn, "__wrapped__"):  # else it is another one with other settings
            flow.fn = ended_in_a_line(followed(flow.fn, model))
        flow.__class__ = HouseFlow
        ours = cast(HouseFlow[P, R], flow)
        ours.model, ours.returned = model, returned
        return ours

    return made


def followed(run: Callable[..., T], model: type[FlowConfig]) -> Callable[..., T]:
    """What a flow does, so that others may see how far it is, also where a schedule has started it:
    in `kb status`, and in the Prefect UI.
    """

    @wraps(run)
    def running(
        config: Given[FlowConfig],
        home: Path | str | None = None,
        *more: object,  # Prefect hands over by position
        **options: object,
    ) -> T:
        read, place = settled(config, home, model)
        board = progress.board() or progress.Board()
        key = f"{subject(read)}-{model.flow_name()}-progress"
        with progress.watched(board), noted(place, board), drawn(board, key):
            return run(read, place, *more, **options)

    return running


def subject(config: FlowConfig) -> str:
    """The name of what a config is about."""
    names = (getattr(config, key, None) for key in ("knowledge_base", "name", "app"))
    return next((name for name in names if isinstance(name, str)), "")


def ended_in_a_line(function: Callable[P, R]) -> Callable[P, R | State[object]]:
    """The function of a flow: an error that says itself how to fix it is the state that the run
    ends in, and its message. Prefect would print its traceback three times.
    """

    @wraps(function)
    def run(*args: P.args, **options: P.kwargs) -> R | State[object]:
        try:
            return function(*args, **options)
        except (LlmopsError, OSError) as error:
            told = error if isinstance(error, LlmopsError) else disk_trouble(error)
            context = FlowRunContext.get()
            if told is None or (context and context.flow and context.flow.retries):
                raise  # a bug; or one that Prefect runs again
            return Failed(message="; ".join(str(told).splitlines()), data=told)

    return run


def outcome(home: Path, state: State[Any]) -> dict[str, Any]:
    """The JSON object of an ended run. Raises what the flow raised."""
    content = saved_outcome(open_ledger(home), str(state.state_details.flow_run_id))
    if content is not None:
        return content
    state.result(raise_on_failure=True)
    raise LlmopsError(
        f"the flow ended in state {state.name} without an outcome",
        hint="see the run in the Prefect UI; a flow ends with tasks/finish.py: finish",
    )


@contextmanager
def connected(home: Path) -> Iterator[None]:
    """Prefect talks to the server that the user names, else to the home's own. In a flow, or where
    somebody has connected already, to the one it talks to.
    """
    if FlowRunContext.get() or known.PREFECT_API_URL.value():
        theirs = server.named()
        if theirs and not FlowRunContext.get():
            server.reached(theirs)
        yield
        return
    used = server.ensure(home) if (theirs := server.named()) is None else server.reached(theirs)
    chosen = server.client_settings(home, used).items()
    updates = {getattr(known, name): value for name, value in chosen if name in SETTINGS}
    with known.temporary_settings(updates=updates):
        yield


SETTINGS = (
    *("PREFECT_API_URL", "PREFECT_API_KEY", "PREFECT_API_AUTH_STRING", "PREFECT_UI_URL"),
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE",
)
