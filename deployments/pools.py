"""Work pools: where the runs of a project go. Made when missing, from the templates that Prefect
ships.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llmops.tasks.errors import LlmopsError, UsageError

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

POOL_TYPES = ("process", "docker", "kubernetes")


@dataclass(frozen=True)
class Pool:
    """Where the runs go. `variables`: job variables, such as the image of a container."""

    name: str
    type: str = "process"
    variables: Mapping[str, object] = field(default_factory=dict)


def base_job_template(kind: str) -> dict[str, object]:
    """The template that Prefect ships for workers of a kind; no network is needed."""
    from importlib.resources import files

    shipped = files("prefect.server.api") / "collections_data/views/aggregate-worker-metadata.json"
    for collection in json.loads(shipped.read_text(encoding="utf-8")).values():
        for worker in collection.values():
            if worker.get("type") == kind:
                template: dict[str, object] = worker["default_base_job_configuration"]
                return template
    raise LlmopsError(
        f"this Prefect ships no template for workers of type {kind!r}",
        hint=f"create the pool yourself: prefect work-pool create NAME --type {kind}",
    )


def check_pool(client: "SyncPrefectClient", pool: Pool) -> bool:
    """Whether the pool is missing. Raises UsageError where it is of another type, or knows no such
    variable.
    """
    from prefect.exceptions import ObjectNotFound

    if pool.type not in POOL_TYPES:
        raise UsageError(
            f"got {pool.type!r}, allowed: {', '.join(POOL_TYPES)}", where="--pool-type"
        )
    try:
        found = client.read_work_pool(pool.name)
    except ObjectNotFound:
        found = None
    if found and found.type != pool.type:
        raise UsageError(
            f"the work pool {pool.name!r} is of type {found.type}, wanted: {pool.type}",
            where="--pool-type",
            hint=f"name another with --pool, or say --pool-type {found.type}",
        )
    template = found.base_job_template if found else base_job_template(pool.type)
    variables = template.get("variables")
    known = variables.get("properties", {}) if isinstance(variables, Mapping) else {}
    unknown = sorted(set(pool.variables) - set(known))
    if unknown and known:
        raise UsageError(
            f"a {pool.type} pool knows no job variable {', '.join(unknown)}",
            where="--job-variable",
            hint=f"allowed: {', '.join(sorted(known))}",
        )
    return found is None


def create_pool(client: "SyncPrefectClient", pool: Pool) -> None:
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists

    template = base_job_template(pool.type)
    wanted = WorkPoolCreate(name=pool.name, type=pool.type, base_job_template=template)
    try:
        client.create_work_pool(wanted)
    except ObjectAlreadyExists:  # another deploy was quicker
        check_pool(client, pool)
