"""MLflow's own review queues, for those who work there: traces put into one, and what people
answered. The interface is experimental there; this file alone knows it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from llmops.tasks.errors import Unavailable
from llmops.tasks.tracking.store import opened, tracking_uri
from llmops.tasks.tracking.trace_records import key_of
from llmops.tasks.tracking.traces import experiment_name, told

if TYPE_CHECKING:
    from mlflow.entities import Assessment
    from mlflow.store.tracking.abstract_store import AbstractStore

VERDICT, CORRECTION = "review_verdict", "review_correction"
VERDICTS: Final = ("good", "bad", "discard")
DECLINED: Final = "discard"
PAGE: Final = 100
ASKED: Final = {
    VERDICT: "Is this a good answer to the question? `discard`: it should not be used at all.",
    CORRECTION: "What should the answer have been? Leave it empty where it is right.",
}


class QueueAnswer(NamedTuple):
    """What somebody said in MLflow of a trace of a queue. `person`: as MLflow calls them."""

    trace_id: str
    person: str
    verdict: str
    correction: str
    comment: str


class ReviewQueues:
    """The queues of one application's traces."""

    def __init__(self, store: "AbstractStore", experiment: str) -> None:
        self._store, self._experiment = store, experiment

    def put(self, name: str, trace_ids: Sequence[str]) -> int:
        """Put traces into a queue, which is made where there is none. Returns how many were not
        there yet.
        """
        with told():
            queue = self._queue(name)
            there = {str(item.item_id) for item in self._items(queue)}
            new = [each for each in trace_ids if each not in there]
            for start in range(0, len(new), PAGE):
                part = new[start : start + PAGE]
                self._store.add_items_to_review_queue(queue, item_ids=part, item_type="trace")
        return len(new)

    def answers(self, name: str) -> list[QueueAnswer]:
        """What people said of the traces of a queue that they are done with; each person's latest
        word.
        """
        with told():
            done = [item for item in self._items(self._queue(name)) if item.completed_by]
            found: list[QueueAnswer] = []
            for start in range(0, len(done), PAGE):
                part = done[start : start + PAGE]
                infos = self._store.batch_get_trace_infos([item.item_id for item in part])
                said = {str(info.trace_id): info.assessments for info in infos}
                for item in part:
                    trace_id, who = str(item.item_id), str(item.completed_by)
                    if str(item.status) == "declined":
                        found.append(QueueAnswer(trace_id, who, DECLINED, "", ""))
                    else:
                        found += _answers(trace_id, said.get(trace_id, ()))
        return found

    def _queue(self, name: str) -> str:
        found = self._named(
            lambda: self._store.get_review_queue_by_name(self._experiment, name=name)
        )
        made = found or self._store.create_review_queue(
            self._experiment, name=name, queue_type="custom", schema_ids=self._schemas()
        )
        return str(made.queue_id)

    def _schemas(self) -> list[str]:
        """The two questions that reviewers are asked, made where they are not there."""
        from mlflow.genai.label_schemas import InputCategorical, InputText

        kinds: Mapping[str, tuple[Any, Any]] = {
            VERDICT: ("feedback", InputCategorical(options=list(VERDICTS))),
            CORRECTION: ("expectation", InputText()),
        }
        ids = []
        for name, (kind, shape) in kinds.items():
            found = self._named(
                lambda name=name: self._store.get_label_schema_by_name(self._experiment, name)
            )
            made = found or self._store.create_label_schema(
                self._experiment,
                name=name,
                type=kind,
                input=shape,
                instruction=ASKED[name],
                enable_comment=name == VERDICT,
            )
            ids.append(str(made.schema_id))
        return ids

    def _named(self, look: Any) -> Any:
        """What has a name; None where nothing has."""
        from mlflow.exceptions import MlflowException

        try:
            return look()
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None

    def _items(self, queue: str) -> Iterator[Any]:
        token = None
        while True:
            page = self._store.list_review_queue_items(queue, max_results=PAGE, page_token=token)
            yield from page
            if not (token := page.token):
                return


def _answers(trace_id: str, assessments: "Sequence[Assessment]") -> Iterator[QueueAnswer]:
    """By person; what this house has written itself is none of them."""
    theirs = [
        each
        for each in assessments
        if not key_of(each) and each.source.source_type == "HUMAN" and each.name in ASKED
    ]
    latest: dict[tuple[str, str], Any] = {}
    for each in sorted(theirs, key=lambda one: one.last_update_time_ms or 0):
        latest[str(each.source.source_id), each.name] = each
    for (person, name), each in latest.items():
        verdict = _value(each)
        if name != VERDICT or verdict not in VERDICTS:
            continue
        better = latest.get((person, CORRECTION))
        yield QueueAnswer(
            trace_id,
            person,
            verdict,
            _value(better) if better is not None else "",
            str(getattr(each, "rationale", "") or ""),
        )


def _value(assessment: Any) -> str:
    whole = assessment.feedback or assessment.expectation
    return str(getattr(whole, "value", "") or "")


@contextmanager
def review_queues(home: Path, app: str, uri: str | None = None) -> Iterator[ReviewQueues]:
    """The review queues of an application's traces. Raises Unavailable where MLflow does not
    answer, or has no traces of it or no queues.
    """
    uri = tracking_uri(home, uri)
    with opened(home, uri) as client:
        from mlflow.tracing.client import TracingClient

        experiment = client.get_experiment_by_name(experiment_name(app))
        store = TracingClient(uri).store
        if experiment is None:
            raise Unavailable(
                f"MLflow has no traces of {app!r} yet", hint="its review queue follows with them"
            )
        if not hasattr(store, "create_review_queue"):
            raise Unavailable("this MLflow has no review queues", hint="it has to be 3.14 or newer")
        yield ReviewQueues(store, str(experiment.experiment_id))
