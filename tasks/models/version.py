"""A trained model: which version, made from what, how configs name it, and where its alias was."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llmops.tasks.errors import Damaged
from llmops.tasks.models import SCHEME
from llmops.tasks.plugins import Spec, canonical
from llmops.tasks.schemas import sha256
from llmops.tasks.tracking.models import HeldModel

ModelKind = Literal["llm", "embedder"]
RECORD, MOVE = "llmops.record", "llmops.move."
BASE = "base"
"""The trainer of a model that nothing of the house has trained: the one that others come from."""


class NewModel(BaseModel):
    """What is registered. `spec`: how configs name it, without what is secret; a path below the
    home is written `home:/…`. `files`: path below the home -> SHA-256, none where a service has the
    model. `dataset`: name and version; `trainer`: with its options; `folder`: of the training,
    below the home.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    kind: ModelKind
    spec: Spec
    files: Mapping[str, str] = Field(default_factory=dict)
    trainer: Mapping[str, object]
    dataset: str = ""
    dataset_sha256: str = ""
    folder: str = ""

    @property
    def sha256(self) -> str:
        """Of what is loaded: equal models are one version."""
        return sha256(canonical([self.kind, self.spec.short(), dict(self.files)]))

    @property
    def title(self) -> str:
        """What people know it by: the model's name at its service, else the plugin that loads
        it.
        """
        return str(self.spec.options.get("model") or self.spec.name)

    @property
    def trained(self) -> bool:
        return self.trainer.get("name") != BASE

    def tags(self) -> dict[str, str]:
        """For MLflow: the whole as one, and what people look for."""
        return {
            RECORD: self.model_dump_json(),
            "kind": self.kind,
            "served_as": canonical(self.spec.short()),
            "sha256": self.sha256,
            "trainer": str(self.trainer.get("name", "")),
            **({"dataset": self.dataset} if self.dataset else {}),
            **({"dataset_sha256": self.dataset_sha256} if self.dataset_sha256 else {}),
        }


class ModelMove(BaseModel):
    """The alias went from one version (None: from nowhere) to another. `kind`: promote or
    rollback.
    """

    model_config = ConfigDict(frozen=True)
    alias: str
    before: int | None
    to: int
    kind: Literal["promote", "rollback"]
    decision: str | None = None
    decision_sha256: str | None = None
    who: str
    moved_at: datetime


class RegisteredModel(NewModel):
    """A version in the registry. `moves`: of aliases that came to it."""

    version: int
    created_at: datetime
    run_id: str | None = None
    aliases: tuple[str, ...] = ()
    moves: tuple[ModelMove, ...] = ()

    @property
    def uri(self) -> str:
        return f"{SCHEME}{self.name}/{self.version}"


def registered(held: HeldModel) -> RegisteredModel:
    """What a version says. Raises Damaged where somebody has edited its tags."""
    where = f"{SCHEME}{held.name}/{held.version}"
    hint = "somebody edited its tags in MLflow; llmops train CONFIG makes a new version"
    try:
        moves = [
            ModelMove.model_validate_json(text)
            for key, text in held.tags.items()
            if key.startswith(MOVE)
        ]
        new = json.loads(held.tags.get(RECORD, ""))
        return RegisteredModel(
            **new,
            version=held.version,
            created_at=held.created_at,
            run_id=held.run_id,
            aliases=held.aliases,
            moves=tuple(sorted(moves, key=lambda move: move.moved_at)),
        )
    except (ValidationError, ValueError, TypeError) as error:
        said = f"the tags of this version cannot be read: {str(error).splitlines()[0]}"
        raise Damaged(said, where=where, hint=hint) from error
