"""Traces in MLflow: written with ids of ours, read back, found, rated and deleted.

A batch is one transaction, or one request over OTLP: what is said of a trace as a whole (its tags,
session, user, tokens and cost) travels on its spans, in MLflow's own names.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from llmops.tasks.errors import LlmopsError, Unavailable
from llmops.tasks.tracking.store import artifact_root, described, opened, tracking_uri
from llmops.tasks.tracking.trace_records import (
    EVALUATED,
    KIND_TAG,
    Rating,
    TraceRecord,
    assessment,
    key_of,
    mlflow_spans,
    record_of,
)

if TYPE_CHECKING:
    from mlflow.tracing.client import TracingClient
    from mlflow.tracking import MlflowClient

EXPERIMENT_KIND = {"mlflow.experimentKind": "genai_development"}
PER_CALL = 100


class TraceRefused(LlmopsError):
    """MLflow answered, and does not take this: the same call will not succeed later."""

    kind = "trace_refused"


class MlflowFailing(Unavailable):
    """MLflow answers, with an error of its own: it may be at this, it may be at everything."""


class Stored(NamedTuple):
    """What a batch came to. `missing`: taken by the store, and not there when read back."""

    ids: frozenset[str]
    refused: Mapping[str, str]
    missing: frozenset[str]


class TraceStore:
    """MLflow as a place of traces. Raises Unavailable when it does not answer, TraceRefused where
    it answers and does not take something.
    """

    def __init__(self, client: "MlflowClient", tracing: "TracingClient", uri: str) -> None:
        self._client, self._tracing, self.uri = client, tracing, uri
        self._experiments: dict[str, str] = {}

    def write(self, app: str, traces: Sequence[TraceRecord]) -> Stored:
        """Write them and read them back; one that is refused harms no other. Writing one again
        changes nothing.
        """
        refused: dict[str, str] = {}
        try:
            self._send(app, traces)
        except TraceRefused as error:
            if len(traces) == 1:
                return Stored(frozenset(), {traces[0].id: str(error)}, frozenset())
            half = len(traces) // 2
            parts = [self.write(app, part) for part in (traces[:half], traces[half:])]
            refused = {key: why for part in parts for key, why in part.refused.items()}
            return Stored(parts[0].ids | parts[1].ids, refused, parts[0].missing | parts[1].missing)
        whole = self.whole({trace.id: len(trace.spans) for trace in traces})
        return Stored(whole, {}, frozenset(trace.id for trace in traces) - whole)

    def whole(self, spans: Mapping[str, int]) -> frozenset[str]:
        """Those of the traces that are there, with as many spans as named."""
        got: dict[str, int] = {}
        for part in _parts(list(spans)):
            with told():
                found = self._tracing.store.batch_get_traces(part, None)
            got |= {str(trace.info.trace_id): len(trace.data.spans) for trace in found}
        return frozenset(each for each, count in spans.items() if got.get(each, 0) >= count)

    def read(self, ids: Sequence[str]) -> dict[str, TraceRecord]:
        """Those that are there, by id; an evaluation's are none of an application's."""
        found: dict[str, TraceRecord] = {}
        for part in _parts(ids):
            with told():
                traces = self._tracing.store.batch_get_traces(part, None)
            found |= {str(trace.info.trace_id): record_of(trace) for trace in traces}
        return {key: each for key, each in found.items() if each.tags.get(KIND_TAG) != EVALUATED}

    def questions(self, ids: Sequence[str]) -> dict[str, str]:
        """What was asked, as MLflow's list of traces shows it: the last message's beginning."""
        known: dict[str, str] = {}
        for part in _parts(ids):
            with told():
                infos = self._tracing.store.batch_get_trace_infos(part)
            known |= {str(info.trace_id): str(info.request_preview or "") for info in infos}
        return known

    def there(self, ids: Sequence[str]) -> frozenset[str]:
        """Which of them the store knows, whole or not."""
        known: set[str] = set()
        for part in _parts(ids):
            with told():
                infos = self._tracing.store.batch_get_trace_infos(part)
            known |= {str(info.trace_id) for info in infos}
        return frozenset(known)

    def delete(self, app: str, ids: Sequence[str]) -> int:
        """Delete them with their spans and assessments. Returns how many there were."""
        with told():
            experiment = self._client.get_experiment_by_name(experiment_name(app))
        if experiment is None or not ids:
            return 0
        count = 0
        for part in _parts(ids):
            with told():
                count += self._tracing.delete_traces(experiment.experiment_id, trace_ids=part)
        return count

    def holding(self, text: str) -> list[str]:
        """The ids of traces of any application whose spans hold a text."""
        escaped = text.replace("'", "''")
        with told():
            experiments = self._client.search_experiments(filter_string="name LIKE '% traces'")
            if not experiments:
                return []
            found = self._tracing.search_traces(
                locations=[each.experiment_id for each in experiments],
                filter_string=f"trace.text LIKE '%{escaped}%'",
                max_results=PER_CALL,
                include_spans=False,
            )
        return [str(trace.info.trace_id) for trace in found]

    def rate(self, trace_id: str, rating: Rating) -> None:
        """Make it the only assessment of its key on the trace, or take it away."""
        from mlflow.entities.assessment import Expectation, Feedback

        with told():
            info = self._tracing.store.get_trace_info(trace_id)
            mine = [each for each in info.assessments if key_of(each) == rating.key]
            if rating.value is not None and not mine:
                self._tracing.store.create_assessment(assessment(trace_id, rating))
            elif rating.value is not None and isinstance(mine[0], Feedback | Expectation):
                changed = assessment(trace_id, rating)
                self._tracing.store.update_assessment(
                    trace_id,
                    str(mine[0].assessment_id),
                    feedback=changed.feedback if not rating.expectation else None,
                    expectation=changed.expectation if rating.expectation else None,
                    rationale=rating.rationale,
                )
            for former in mine[0 if rating.value is None else 1 :]:
                self._tracing.store.delete_assessment(trace_id, str(former.assessment_id))

    def link_prompt(self, trace_id: str, name: str, version: int) -> None:
        """Say which version of a prompt in the registry the answer was asked with."""
        from mlflow.entities.model_registry import PromptVersion

        with told():
            prompt = PromptVersion(name, version, "")  # type: ignore[abstract]
            self._tracing.store.link_prompts_to_trace(trace_id, [prompt])

    def _send(self, app: str, traces: Sequence[TraceRecord]) -> None:
        with told():
            experiment = self._experiment(app)
            spans = [span for trace in traces for span in mlflow_spans(trace)]
            try:
                self._tracing.log_spans(experiment, spans)
            except NotImplementedError as error:
                raise Unavailable(
                    f"MLflow takes no traces: {error}", hint="it has to be 3.4 or newer"
                ) from error
            except Exception:
                self._experiments.pop(app, None)  # it may have been deleted meanwhile
                raise

    def _experiment(self, app: str) -> str:
        if app not in self._experiments:
            self._experiments[app] = _experiment_of(
                self._client, experiment_name(app), artifact_root(self.uri)
            )
        return self._experiments[app]


def experiment_name(app: str) -> str:
    return f"{app} traces"


@contextlib.contextmanager
def trace_store(home: Path, uri: str | None = None) -> Iterator[TraceStore]:
    """The store of a home's traces: that of its runs. Raises Unavailable where it does not
    answer.
    """
    uri = tracking_uri(home, uri)
    with opened(home, uri) as client:
        from mlflow.tracing.client import TracingClient

        yield TraceStore(client, TracingClient(uri), uri)


@contextlib.contextmanager
def told() -> Iterator[None]:
    """MLflow's errors as two of ours: it does not answer, or it does not take this."""
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException

    try:
        yield
    except MlflowException as error:
        status = error.get_http_status_code()  # type: ignore[no-untyped-call]
        reason = (str(error).strip() or repr(error)).splitlines()[0][:500]
        if 400 <= status < 500 and status not in (401, 403, 408, 429):
            raise TraceRefused(f"MLflow did not take it: {reason}") from error
        raise MlflowFailing(f"MLflow answered with {status}: {reason}") from error
    except (RequestException, OSError) as error:
        reason = (str(error).strip() or repr(error)).splitlines()[0][:500]
        raise Unavailable(f"MLflow does not answer: {reason}") from error
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        # an answer that is none of MLflow's, such as that of a proxy
        raise Unavailable(f"MLflow's answer cannot be read: {error!r}"[:500]) from error


def _experiment_of(client: "MlflowClient", name: str, artifacts: str | None) -> str:
    from mlflow.exceptions import MlflowException

    known = client.get_experiment_by_name(name)
    if known is None:
        location = f"{artifacts}/{name}" if artifacts else None
        try:
            return str(
                client.create_experiment(name, location, tags=EXPERIMENT_KIND | described(name))
            )
        except MlflowException:
            known = client.get_experiment_by_name(name)  # another process was quicker
            if known is None:
                raise
    if known.lifecycle_stage == "deleted":
        client.restore_experiment(known.experiment_id)
    return str(known.experiment_id)


def _parts(ids: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), PER_CALL):
        yield list(ids[start : start + PER_CALL])
