"""What MLflow is told of a config: the file that runs the same from anywhere, and every setting,
also those that nobody wrote down.
"""

import copy
from collections.abc import Mapping
from pathlib import Path

from llmops.configs.section import FlowConfig, places, put
from llmops.tasks.plugins import SECRET, Spec, find
from llmops.tasks.plugins.sources import Source
from llmops.tasks.tracking import ConfigRecord
from llmops.tasks.tracking.origin import git_commit

CLASSES = ("type", "family", "revision")


def recorded_in_mlflow(config: FlowConfig) -> ConfigRecord:
    """The fields of a build's record that are about its config."""
    return ConfigRecord(
        config=standalone(config),
        config_sha256=config.recorded()["config_sha256"],
        parameters=parameters(config),
        git_commit=git_commit(config.folder),
    )


def standalone(config: FlowConfig) -> dict[str, object]:
    """What a file in any folder would say to run the same: its paths are absolute, secrets are
    `${NAME}`.
    """
    recorded = copy.deepcopy(config.recorded()["config"])
    plain = {key: value for key, value in recorded.items() if key in type(config).model_fields}
    plain.pop("folder", None)
    for pattern in config.files:
        for place, value in places(config, pattern):
            if place[0] in plain and value is not None:
                put(plain, place, _absolute(value, config))
    for pattern, family in config.plugins.items():
        if issubclass(family, Source):
            for place, spec in places(config, pattern):
                if isinstance(spec, Spec):
                    put(plain, place, _source(spec, config.folder))
    return plain


def _absolute(value: object, config: FlowConfig) -> object:
    if isinstance(value, list | tuple):
        return [_absolute(each, config) for each in value]
    text = str(value)
    return text if text.startswith(config.elsewhere) else str(config.folder / text)


def _source(spec: Spec, folder: Path) -> dict[str, object]:
    """A source says itself which of its options are paths."""
    if SECRET.search(str(spec.options)):
        return spec.short()
    plain = spec.build(Source)
    before, after = plain.model_dump(mode="json"), plain.at(folder).model_dump(mode="json")
    moved = {name: value for name, value in after.items() if value != before[name]}
    return spec.short() | moved


def parameters(config: FlowConfig) -> dict[str, object]:
    """Every setting with the defaults of the plugins filled in; nothing that a user cannot set."""
    plain = config.model_dump(mode="json", exclude={"folder", *config.unrecorded})
    for pattern, family in config.plugins.items():
        for place, spec in places(config, pattern):
            if isinstance(spec, Spec) and place[0] in plain:
                put(plain, place, _whole(family.family, spec))
    kept = without_nothing(plain)
    return kept if isinstance(kept, dict) else {}


def _whole(family: str, spec: Spec) -> dict[str, object]:
    """The options of a plugin as they are in force. Secrets stay `${NAME}`: nothing is built."""
    fields = find(family, spec.name).model_fields
    defaults = {
        name: field.get_default(call_default_factory=True)
        for name, field in fields.items()
        if not field.is_required() and name not in CLASSES
    }
    return {"name": spec.name, **defaults, **spec.options}


def without_nothing(value: object) -> object:
    """The same without what is None or empty: no setting."""
    if isinstance(value, Mapping):
        inner = {key: without_nothing(each) for key, each in value.items()}
        return {key: each for key, each in inner.items() if each not in (None, "", {}, [])}
    if isinstance(value, list | tuple):
        return [without_nothing(each) for each in value]
    return str(value) if isinstance(value, Path) else value
