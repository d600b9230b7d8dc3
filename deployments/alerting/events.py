"""Alerts as events of the Prefect server: seen on its pages, and what its automations act upon."""

from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from llmops.deployments.prefect_api import PrefectApi, api_of
from llmops.tasks.errors import LlmopsError, Unavailable
from llmops.tasks.plugins.senders import Notice, Sender

FIRED = "llmops.alert.fired"
RESOURCE = "llmops.alert."
RULE, PROJECT = "llmops.rule", "llmops.project"
"""Labels of the resource that automations look at."""
SENDER = "prefect"
SAID = ("fired", "resolved")


class PrefectEventSender(Sender):
    """Always there, beside the senders of a config. What is told again is no new event."""

    home: Path

    def send(self, notice: Notice) -> None:
        if notice.kind not in SAID:
            return
        api = api_of(self.home)
        if api is None:
            raise Unavailable("no Prefect server of the home runs", hint="`llmops up` runs one")
        api.ask("/events", [event_of(notice, _deployment(api, notice))])


def wanted(home: Path) -> bool:
    """Whether a home has a Prefect server at all, or its user names one: else nobody would ever
    take an event.
    """
    from llmops.flows import server

    try:
        return server.named() is not None or (home / "prefect").exists()
    except LlmopsError:
        return False  # the look says what is wrong with its address


def event_of(notice: Notice, deployment: str | None) -> dict[str, object]:
    """What Prefect is told. The id follows from that of the notice: sent twice it is one event."""
    related = []
    if deployment:
        related.append(
            {
                "prefect.resource.id": f"prefect.deployment.{deployment}",
                "prefect.resource.role": "deployment",
            }
        )
    if run := _flow_run(notice):
        related.append(
            {"prefect.resource.id": f"prefect.flow-run.{run}", "prefect.resource.role": "flow-run"}
        )
    return {
        "id": str(uuid5(NAMESPACE_URL, f"llmops:notice:{notice.id}")),
        "event": f"llmops.alert.{notice.kind}",
        "occurred": notice.at.isoformat(),
        "resource": {
            "prefect.resource.id": f"{RESOURCE}{notice.key}",
            "prefect.resource.name": notice.key,
            RULE: notice.rule,
            "llmops.subject": notice.subject,
            "llmops.severity": notice.severity,
            PROJECT: notice.project,
        },
        "related": related,
        "payload": {
            "message": notice.message,
            "hint": notice.hint,
            "value": notice.value,
            "began_at": notice.began_at.isoformat(),
            "links": dict(notice.links),
        },
    }


def _flow_run(notice: Notice) -> str:
    """Of the link to the run in Prefect's pages."""
    url = notice.links.get("prefect", "")
    return url.rpartition("/flow-run/")[2] if "/flow-run/" in url else ""


def _deployment(api: PrefectApi, notice: Notice) -> str | None:
    """The id of the deployment that an alert such as `flow-failed/index/handbook` is about."""
    flow, _, name = notice.subject.partition("/")
    if not (notice.rule.startswith("flow-") and name):
        return None
    there = api.deployments(("llmops", f"project:{notice.project}", f"flow:{flow}"))
    return next((each["id"] for each in there if each["name"] == name), None)
