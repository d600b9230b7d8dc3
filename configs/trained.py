"""The trained models that a config names, as they are at the start of a run: `models:/NAME@live`
becomes the model of the version that is live then, for the whole run.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from llmops.configs.section import FlowConfig
from llmops.tasks.errors import ConfigError
from llmops.tasks.models.references import KINDS, pinned, refers
from llmops.tasks.plugins import Spec

C = TypeVar("C", bound=FlowConfig)


def with_models(home: Path, config: C) -> C:
    """Raises UsageError for a model that there is not, Damaged for files that are not what was
    trained, ConfigError for a model that does not go with the rest, Unavailable.
    """
    if not config.follows:
        return config
    changed = _changed(home, {name: getattr(config, name) for name in type(config).model_fields})
    if not changed:
        return config
    followed = config.model_copy(update=changed)
    if found := followed.conflicts("config"):
        raise ConfigError(found)
    return followed


def _followed(home: Path, key: str, value: object) -> object:
    """The same object where nothing in it names a trained model."""
    if isinstance(value, Spec):
        return pinned(home, value, KINDS.get(key)).spec if refers(value) else value
    if isinstance(value, list | tuple):
        items = [_followed(home, key, each) for each in value]
        same = all(new is old for new, old in zip(items, value, strict=True))
        return value if same else type(value)(items)
    if isinstance(value, BaseModel):
        fields = {name: getattr(value, name) for name in type(value).model_fields}
        if changed := _changed(home, fields):
            return value.model_copy(update=changed)
    return value


def _changed(home: Path, fields: Mapping[str, object]) -> dict[str, object]:
    return {
        name: new for name, old in fields.items() if (new := _followed(home, name, old)) is not old
    }
