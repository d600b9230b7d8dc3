"""What runs the schedule of a config: whoever has just run it by hand wants to know whether it
happens by itself.
"""

from llmops.configs.section import FlowConfig, Schedule

NAMES = ("knowledge_base", "name", "app")


def scheduled(config: FlowConfig) -> str:
    """`0 3 * * * UTC, by …`, as the Prefect server that this process is connected to knows it;
    empty for a config without a schedule.
    """
    schedule = getattr(config, "schedule", None)
    if not isinstance(schedule, Schedule):
        return ""
    # only now: Prefect reads its settings when it is imported
    from httpx import HTTPError
    from prefect import get_client
    from prefect.exceptions import ObjectNotFound, PrefectException

    name = next(str(getattr(config, key)) for key in NAMES if hasattr(config, key))
    when = f"{schedule.cron} {schedule.timezone}"
    try:
        with get_client(sync_client=True) as client:
            found = client.read_deployment_by_name(f"{config.flow_name()}/{name}")
        active = not found.paused and any(each.active for each in found.schedules)
        ready = found.status is not None and found.status.value == "READY"
        return f"{when}: {by_whom(found.work_pool_name, active=active, ready=ready)}"
    except ObjectNotFound:
        return (
            f"{when}: nothing runs it yet: `llmops up` runs all schedules of a project, `llmops "
            "deploy` registers them at a Prefect server that you have"
        )
    except (HTTPError, PrefectException) as error:
        return f"{when}: the Prefect server does not say whether it runs it: {error!r}"


def by_whom(pool: str | None, *, active: bool, ready: bool) -> str:
    """Who runs a deployment, or why nobody does. `ready`: a worker has looked for work lately."""
    if not active:
        return "it is paused at the Prefect server, in whose pages it is resumed"
    if ready:
        return f"a worker of the pool {pool} runs it"
    return f"it is registered, and no worker of its pool {pool} is there: `llmops up` starts one"
