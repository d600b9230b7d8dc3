"""Registering trained models, and what is registered."""

from pathlib import Path

from typing_extensions import TypedDict

from llmops.tasks.errors import UsageError, did_you_mean
from llmops.tasks.models import LIVE, SCHEME
from llmops.tasks.models.version import RECORD, NewModel, RegisteredModel, registered
from llmops.tasks.tracking.models import ModelShelf, open_models


def register(home: Path, new: NewModel, run_id: str) -> RegisteredModel:
    """The version of a model that was trained in a run of MLflow; made where none is like it.
    Nothing becomes live by that. Raises Unavailable.
    """
    with open_models(home, write=True) as shelf:
        for known in versions_in(shelf, new.name):
            if known.sha256 == new.sha256:
                return known
        number = shelf.create(new.name, run_id, new.tags(), f"{new.title}: {_from(new)}")
        return version_of(versions_in(shelf, new.name), number)


def versions_in(shelf: ModelShelf, name: str) -> list[RegisteredModel]:
    """The versions of a model, newest first; none of one that is not known. What somebody made by
    hand in MLflow is none of ours, unless an alias leads to it: then nothing goes on unseen.
    """
    mine = [held for held in shelf.versions(name) if RECORD in held.tags or held.aliases]
    return [registered(held) for held in mine]


def all_versions(shelf: ModelShelf, name: str) -> list[RegisteredModel]:
    """Newest first. Raises UsageError for a model that is not known."""
    found = versions_in(shelf, name)
    if not found:
        known = sorted(shelf.aliases())
        there = f"there are {', '.join(known)}" if known else "none is trained yet"
        raise UsageError(
            f"there is no trained model {name!r}: {there}",
            hint=did_you_mean(name, known) or "llmops train CONFIG trains one",
        )
    return found


def version_of(versions: list[RegisteredModel], number: int) -> RegisteredModel:
    """Raises UsageError for a number that there is not."""
    for each in versions:
        if each.version == number:
            return each
    listed = ", ".join(str(each.version) for each in versions)
    raise UsageError(
        f"the model {versions[0].name!r} has no version {number}", hint=f"its versions: {listed}"
    )


def held_by(versions: list[RegisteredModel], alias: str) -> RegisteredModel | None:
    """The version that an alias points to."""
    return next((each for each in versions if alias in each.aliases), None)


class ModelListed(TypedDict):
    """A model in the list of `models list`. `live`: the version that `models:/NAME@live` is."""

    name: str
    kind: str
    live: int | None
    served_as: str | None
    versions: int
    newest: str


class ModelVersionListed(TypedDict):
    """A version as `models show` prints it. `trained`: False for what the others were made from."""

    version: int
    uri: str
    live: bool
    model: str
    trained: bool
    llm: dict[str, object]
    trainer: dict[str, object]
    dataset: str
    dataset_sha256: str
    files: dict[str, str]
    folder: str
    sha256: str
    mlflow_run_id: str | None
    created_at: str


class ModelOverview(TypedDict):
    """The object of `models show`. `moves`: of the alias, oldest first."""

    name: str
    kind: str
    live: int | None
    versions: list[ModelVersionListed]
    moves: list[dict[str, object]]


def listed(home: Path) -> list[ModelListed]:
    """Every model that was trained, by its name. Raises Unavailable."""
    with open_models(home) as shelf:
        every = [versions_in(shelf, name) for name in sorted(shelf.aliases())]
    return [_listed(versions) for versions in every if versions]


def overview(home: Path, name: str) -> ModelOverview:
    """Raises UsageError for a model that is not known."""
    with open_models(home) as shelf:
        versions = all_versions(shelf, name)
    live = held_by(versions, LIVE)
    moves = sorted(
        (move for each in versions for move in each.moves), key=lambda move: move.moved_at
    )
    return {
        "name": name,
        "kind": versions[0].kind,
        "live": live.version if live else None,
        "versions": [_shown(each) for each in versions],
        "moves": [move.model_dump(mode="json") for move in moves],
    }


def _listed(versions: list[RegisteredModel]) -> ModelListed:
    live = held_by(versions, LIVE)
    return {
        "name": versions[0].name,
        "kind": versions[0].kind,
        "live": live.version if live else None,
        "served_as": live.title if live else None,
        "versions": len(versions),
        "newest": f"{SCHEME}{versions[0].name}/{versions[0].version}",
    }


def _shown(model: RegisteredModel) -> ModelVersionListed:
    return {
        "version": model.version,
        "uri": model.uri,
        "live": LIVE in model.aliases,
        "model": model.title,
        "trained": model.trained,
        "llm": model.spec.short(),
        "trainer": dict(model.trainer),
        "dataset": model.dataset,
        "dataset_sha256": model.dataset_sha256,
        "files": dict(model.files),
        "folder": model.folder,
        "sha256": model.sha256,
        "mlflow_run_id": model.run_id,
        "created_at": model.created_at.isoformat(),
    }


def _from(new: NewModel) -> str:
    if not new.trained:
        return "what other versions were made from"
    return f"trained on {new.dataset} by {new.trainer.get('name')}"
