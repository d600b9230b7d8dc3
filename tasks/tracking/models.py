"""MLflow's model registry: versions of trained models, their tags and aliases. A prompt and a model
may have one name here: in MLflow, where they share a namespace, the model `helpdesk` is called
`helpdesk model`.
"""

import contextlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from llmops.tasks.errors import Unavailable
from llmops.tasks.tracking.prompts import pages_of, put_away
from llmops.tasks.tracking.store import opened, sqlite_file, tracking_uri

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.tracking import MlflowClient

SUFFIX = " model"
OURS = "llmops.model"
ONLY_MODELS = f"tags.`{OURS}` = 'true'"
PAGE = 200
TAKEN = "RESOURCE_ALREADY_EXISTS"


class HeldModel(BaseModel):
    """A version as the registry has it now."""

    model_config = ConfigDict(frozen=True)
    name: str
    version: int
    created_at: datetime
    run_id: str | None
    tags: dict[str, str]
    aliases: tuple[str, ...] = ()


class ModelShelf:
    """The registry as it is at each call; without a client an empty one, so that asking creates no
    store.
    """

    def __init__(self, client: "MlflowClient | None") -> None:
        self._client = client

    def aliases(self) -> dict[str, dict[str, int]]:
        """The aliases of every model, by its name."""
        if self._client is None:
            return {}
        search = self._mlflow.search_registered_models
        found = pages_of(lambda token: search(ONLY_MODELS, PAGE, ["name"], token))
        return {
            one.name.removesuffix(SUFFIX): {
                alias: int(version) for alias, version in one.aliases.items()
            }
            for one in found
        }

    def versions(self, name: str) -> list[HeldModel]:
        """The versions of a model, newest first; none of one that is not known."""
        aliases = self.aliases().get(name)
        if aliases is None:
            return []
        search, wanted = self._mlflow.search_model_versions, f"name = '{name}{SUFFIX}'"
        found = pages_of(lambda token: search(wanted, PAGE, ["version_number DESC"], token))
        return [_held(name, one, aliases) for one in found]

    def create(self, name: str, run_id: str, tags: Mapping[str, str], note: str) -> int:
        """Make a version that belongs to a run. Returns its number."""
        from mlflow.exceptions import MlflowException

        try:
            self._mlflow.create_registered_model(name + SUFFIX, {OURS: "true"})
        except MlflowException as error:
            if error.error_code != TAKEN:
                raise
        made = self._mlflow.create_model_version(
            name + SUFFIX,
            f"runs:/{run_id}/model",
            run_id,
            dict(tags),
            description=note,
            await_creation_for=0,
        )
        return int(made.version)

    def point(self, name: str, alias: str, version: int) -> None:
        """Set an alias."""
        self._mlflow.set_registered_model_alias(name + SUFFIX, alias, str(version))

    def tag(self, name: str, version: int, key: str, value: str) -> None:
        """Write something on a version."""
        self._mlflow.set_model_version_tag(name + SUFFIX, str(version), key, value)

    def remove(self, name: str, version: int) -> None:
        """Take a version out, for good. Its number never comes back while a later one is there."""
        self._mlflow.delete_model_version(name + SUFFIX, str(version))

    @property
    def _mlflow(self) -> "MlflowClient":
        if self._client is None:
            raise Unavailable("there is no model registry to write to")
        return self._client


@contextlib.contextmanager
def open_models(home: Path, *, write: bool = False) -> Iterator[ModelShelf]:
    """The registry that belongs to a home. To read, no store is made. Raises Unavailable where it
    does not answer or refuses.
    """
    uri = tracking_uri(home)
    database = sqlite_file(uri)
    if not write and database and not database.exists():
        yield ModelShelf(None)
        return
    with opened(home, uri) as client:
        from mlflow.exceptions import MlflowException

        try:
            yield ModelShelf(client)
        except MlflowException as error:
            said = (str(error).strip() or repr(error)).splitlines()[0]
            raise Unavailable(
                f"MLflow's model registry refused: {said}",
                where=uri,
                hint="look at the store, and at the disk's free space; no alias has moved",
            ) from error
        finally:
            put_away(client)


def _held(name: str, held: "ModelVersion", aliases: Mapping[str, int]) -> HeldModel:
    number = int(held.version)
    return HeldModel(
        name=name,
        version=number,
        created_at=datetime.fromtimestamp(held.creation_timestamp / 1000, UTC),
        run_id=held.run_id or None,
        tags=dict(held.tags),
        aliases=tuple(sorted(alias for alias, version in aliases.items() if version == number)),
    )
