"""Which trained model a config means: `models:/helpdesk@live` or `models:/helpdesk/3`, wherever the
option of an llm or an embedder names a model.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from llmops.tasks.errors import UsageError, did_you_mean
from llmops.tasks.models import LIVE, SCHEME
from llmops.tasks.models.files import placed, verify
from llmops.tasks.models.registry import all_versions, held_by, version_of
from llmops.tasks.models.version import ModelKind, RegisteredModel
from llmops.tasks.plugins import Spec
from llmops.tasks.tracking.models import open_models

REFERENCE = re.compile(
    r"([a-z][a-z0-9-]{0,62})(?:@([A-Za-z][A-Za-z0-9_-]{0,60})|/([1-9][0-9]{0,8}))"
)
KINDS: Mapping[str, ModelKind] = {"llm": "llm", "embed": "embedder"}
"""The options of plugins that hold a model, and its kind."""


class PinnedSpec(NamedTuple):
    """A plugin with the models that it really uses, and the versions that these are."""

    spec: Spec
    versions: tuple[str, ...] = ()


def is_reference(value: object) -> bool:
    return isinstance(value, str) and value.startswith("models:")


def refers(spec: Spec) -> bool:
    """Whether a plugin, or one among its options, names a trained model."""
    return _refers(spec.options)


def resolve(home: Path, reference: str) -> RegisteredModel:
    """The version behind a reference; its files are what was trained. Raises UsageError for what
    there is not, Damaged, Unavailable.
    """
    match = REFERENCE.fullmatch(reference.removeprefix(SCHEME))
    if not reference.startswith(SCHEME) or match is None:
        raise UsageError(
            f"got the reference {reference!r}",
            hint="allowed: models:/name@live, or models:/name/3 for one version",
        )
    name, alias, number = match.groups()
    with open_models(home) as shelf:
        versions = all_versions(shelf, name)
    if number:
        found = version_of(versions, int(number))
    else:
        found = held_by(versions, alias) or _without(versions, alias)
    verify(home, found)
    return found


def pinned(home: Path, spec: Spec, kind: ModelKind | None = None) -> PinnedSpec:
    """The plugin with the model that each reference in it means now. What the config says beside it
    goes before what the version says. Raises as `resolve`, and UsageError for a model of another
    kind, or one that another plugin serves.
    """
    named = [key for key, value in spec.options.items() if is_reference(value)]
    used: tuple[str, ...] = ()
    given = dict(spec.options)
    if len(named) > 1:
        raise UsageError(f"{' and '.join(named)} name trained models; one of them is wanted")
    for key in named:
        version = resolve(home, str(given.pop(key)))
        _fits(version, spec, kind, key)
        given = {**placed(home, version.spec).options, **given}
        used = (version.uri,)
    for key, value in given.items():
        if isinstance(value, Mapping) and "name" in value and _refers(value):
            inner = pinned(home, Spec.model_validate(value), KINDS.get(key))
            given[key], used = inner.spec.short(), (*used, *inner.versions)
    return PinnedSpec(Spec(name=spec.name, options=given), used)


def _refers(options: Mapping[str, object]) -> bool:
    return any(
        is_reference(value) or (isinstance(value, Mapping) and _refers(value))
        for value in options.values()
    )


def _fits(version: RegisteredModel, spec: Spec, kind: ModelKind | None, key: str) -> None:
    if kind and version.kind != kind:
        raise UsageError(f"{version.uri} is an {version.kind}, and an {kind} is wanted here")
    if version.spec.name != spec.name:
        raise UsageError(
            f"{version.uri} is served by the plugin {version.spec.name}, not by {spec.name}",
            hint=f'write {{name: {version.spec.name}, {key}: "{SCHEME}{version.name}@{LIVE}"}}',
        )


def _without(versions: list[RegisteredModel], alias: str) -> RegisteredModel:
    known = sorted({other for each in versions for other in each.aliases})
    others = f"; it has {', '.join(known)}" if known else ""
    newest = versions[0]
    raise UsageError(
        f"the model {newest.name!r} has no alias {alias!r}{others}",
        hint=did_you_mean(alias, known)
        or f"the gate of its training sets it (train: gate); {newest.uri} names one version",
    )
