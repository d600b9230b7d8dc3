"""MLflow's prompt registry: versions, aliases and notes of prompts, never from a cache."""

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import JsonValue

from llmops.tasks.errors import ConfigError, Unavailable, UsageError
from llmops.tasks.tracking.prompt_versions import (
    IS_PROMPT,
    Note,
    PromptContent,
    PromptVersion,
    limits,
    note_of,
    tags,
)
from llmops.tasks.tracking.store import opened, sqlite_file, tracking_uri

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.store.entities.paged_list import PagedList
    from mlflow.tracking import MlflowClient

ONLY_PROMPTS = f"tags.`{IS_PROMPT}` = 'true'"
PAGE = 200
RECORD = "decision.json"
TAKEN = "RESOURCE_ALREADY_EXISTS"
Item = TypeVar("Item")


class Registry:
    """The registry as it is at each call; without a client an empty one, so that asking creates no
    store.
    """

    def __init__(self, client: "MlflowClient | None") -> None:
        self._client = client

    def prompts(self) -> dict[str, dict[str, int]]:
        """The aliases of every prompt, by name."""
        if self._client is None:
            return {}
        found = pages_of(
            lambda token: self._mlflow.search_registered_models(ONLY_PROMPTS, PAGE, ["name"], token)
        )
        return {
            one.name: {alias: int(version) for alias, version in one.aliases.items()}
            for one in found
        }

    def everything(self) -> dict[str, list[PromptVersion]]:
        """The versions of all prompts by name, newest first."""
        aliases = self.prompts()
        found: dict[str, list[PromptVersion]] = {name: [] for name in aliases}
        if aliases:
            pages = pages_of(
                lambda token: self._mlflow.search_model_versions(
                    ONLY_PROMPTS, PAGE, ["name", "version_number DESC"], token
                )
            )
            for one in pages:
                found.setdefault(one.name, []).append(_version(one, aliases.get(one.name, {})))
        return found

    def aliases(self, name: str) -> dict[str, int] | None:
        """Where the aliases of a prompt point; None: there is no such prompt."""
        if self._client is None:
            return None
        found = list(self._mlflow.search_registered_models(f"name = '{name}' AND {ONLY_PROMPTS}"))
        return (
            {alias: int(version) for alias, version in found[0].aliases.items()} if found else None
        )

    def versions(self, name: str) -> list[PromptVersion]:
        """The versions of a prompt, newest first; none of a prompt that is not known."""
        aliases = self.aliases(name)
        if aliases is None:
            return []
        wanted = f"name = '{name}' AND {ONLY_PROMPTS}"
        found = pages_of(
            lambda token: self._mlflow.search_model_versions(
                wanted, PAGE, ["version_number DESC"], token
            )
        )
        return [_version(one, aliases) for one in found]

    def create(self, content: PromptContent, who: str, note: str = "") -> int:
        """Make a version, whatever is there already. Returns its number. Raises ConfigError for
        what is too long, UsageError when a model has the prompt's name."""
        if mistakes := limits(content, note):
            raise ConfigError(mistakes)
        if self.aliases(content.name) is None:
            self._begin(content)
        made = self._mlflow.create_prompt_version(
            content.name,
            content.messages,
            note or None,
            tags(content, who),
            content.output,
            content.model or None,
        )
        return int(made.version)

    def withdraw(self, name: str, version: int) -> None:
        """Delete a version that nobody has seen."""
        self._mlflow.delete_prompt_version(name, str(version))

    def point(self, name: str, alias: str, version: int) -> None:
        """Set an alias."""
        self._mlflow.set_prompt_alias(name, alias, version)

    def note(self, name: str, version: int, change: Note) -> None:
        """Write a change of an alias on the version that it went to."""
        self._mlflow.set_prompt_version_tag(name, version, *note_of(change))

    def decision(self, run_id: str) -> JsonValue:
        """The decision record that a run holds; None where there is no such run or record."""
        if self._client is None:
            return None
        from mlflow.exceptions import MlflowException

        try:
            with tempfile.TemporaryDirectory() as folder:
                file = Path(self._mlflow.download_artifacts(run_id, RECORD, folder))
                content: JsonValue = json.loads(file.read_text(encoding="utf-8"))
                return content
        except (
            MlflowException,
            OSError,
            ValueError,
        ):  # no run, no such artifact, no JSON: it holds no record
            return None

    @property
    def _mlflow(self) -> "MlflowClient":
        if self._client is None:
            raise Unavailable("there is no prompt registry to write to")
        return self._client

    def _begin(self, prompt: PromptContent) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._mlflow.create_prompt(prompt.name, prompt.description[:5000] or None)
        except MlflowException as error:
            if error.error_code != TAKEN:
                raise
            if self.aliases(prompt.name) is None:  # else another process was quicker
                raise UsageError(
                    f"a registered model is called {prompt.name!r}, so a prompt cannot be",
                    where="MLflow",
                    hint="give the prompt another name",
                ) from error


@contextlib.contextmanager
def open_registry(home: Path, *, write: bool = False, uri: str | None = None) -> Iterator[Registry]:
    """The registry that belongs to a home. To read, no store is made. Raises Unavailable when it
    does not answer or refuses.
    """
    uri = tracking_uri(home, uri)
    database = sqlite_file(uri)
    if not write and database and not database.exists():
        yield Registry(None)
        return
    with opened(home, uri) as client:
        from mlflow.exceptions import MlflowException

        try:
            yield Registry(client)
        except MlflowException as error:
            raise Unavailable(
                f"MLflow's prompt registry refused: "
                f"{(str(error).strip() or repr(error)).splitlines()[0]}",
                where=uri,
                hint="look at the store, and at the disk's free space; no alias has moved",
            ) from error
        finally:
            put_away(client)


def pages_of(search: "Callable[[str | None], PagedList[Item]]") -> Iterator[Item]:
    token: str | None = None
    while True:
        page = search(token)
        yield from page
        token = page.token
        if not token:
            return


def _version(held: "ModelVersion", aliases: dict[str, int]) -> PromptVersion:
    number = int(held.version)
    return PromptVersion(
        name=held.name,
        version=number,
        created_at=datetime.fromtimestamp(held.creation_timestamp / 1000, UTC),
        tags=dict(held.tags),
        note=held.description or "",
        aliases=tuple(sorted(alias for alias, version in aliases.items() if version == number)),
    )


def put_away(client: "MlflowClient") -> None:
    """Connections left to the garbage collector are reported as a leak; the client makes the
    registry's store by itself.
    """
    engine = getattr(
        getattr(getattr(client, "_registry_client_lazy", None), "store", None), "engine", None
    )
    if engine is not None:
        engine.dispose()
