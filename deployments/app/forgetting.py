"""Conversations and their deletion, for whoever had them: over HTTP and in the page."""

from llmops.deployments.app.asking import person_name
from llmops.deployments.app.problems import HttpProblem
from llmops.deployments.app.services import Services
from llmops.deployments.app.visit import AppVisit
from llmops.tasks.audit.actor import acting_as
from llmops.tasks.traces import deletion, index
from llmops.tasks.traces.deletion import Deleted


def own_conversation(services: Services, visit: AppVisit, name: str, person: str) -> list[str]:
    """The traces of a conversation. Raises HttpProblem, in the same words, where there are none and
    where some are somebody else's.
    """
    rows = index.of_conversation(services.home, services.app, name, person)
    if not rows or any(row.key_id != visit.key_id for row in rows):
        raise _unknown()
    return [row.id for row in rows]


def forget_conversation(
    services: Services, visit: AppVisit, name: str, person: str, user: str = ""
) -> Deleted:
    """Delete one's own part of it everywhere, as `llmops traces delete` does; whoever else says
    something under the same name keeps nobody from that. `user`: as the client calls them. Raises
    HttpProblem where there is none.
    """
    rows = index.of_conversation(services.home, services.app, name, person)
    mine = [row.id for row in rows if row.key_id == visit.key_id]
    if not mine:
        raise _unknown()
    with acting_as(person_name(services.app, visit, user) or services.app):
        return deletion.delete_traces(services.home, mine)


def _unknown() -> HttpProblem:
    return HttpProblem(404, "no such conversation of yours", code="conversation_not_found")
