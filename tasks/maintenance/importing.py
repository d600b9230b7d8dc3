"""Bringing an exported knowledge base in, as version 1 of a new one, without embedding anything."""

import contextlib
import re
import shlex
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, insert

from llmops.tasks.errors import Blocked, ConfigError, LlmopsError, Mistake, UsageError
from llmops.tasks.knowledge.build import Fingerprints
from llmops.tasks.knowledge.session import collection_name
from llmops.tasks.knowledge.suppressed import barred, uri_hash
from llmops.tasks.knowledge.versions import known
from llmops.tasks.ledger import Ledger, now, upsert
from llmops.tasks.ledger.leases import Lease, hold
from llmops.tasks.ledger.tables import chunks, documents, knowledge_bases, versions
from llmops.tasks.maintenance.import_checks import Origin, check
from llmops.tasks.maintenance.import_rows import Cargo, unload
from llmops.tasks.maintenance.portable import Manifest, damaged, read_manifest
from llmops.tasks.plugins import SECRET, Spec, canonical, digest, external
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.stores import Store
from llmops.tasks.schemas import sha256
from llmops.tasks.yaml_files import NoYaml, read_yaml

NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
NAMED = 3


@dataclass(frozen=True)
class Target:
    """What is made of an export: a name, where its rows go, and with which embedder its vectors
    were computed.
    """

    kb: str
    spec: Spec
    store: Store
    embedder: Embedder
    collection: str


def bring_in(
    ledger: Ledger,
    home: Path,
    folder: Path,
    name: str | None,
    store: Spec | None,
    *,
    trust: bool = False,
) -> dict[str, Any]:
    """The object of `kb import`. Everything is verified before anything is written.

    Raises UsageError for a name that exists, where the export would have to connect to a store that
    the user has not named, and, without `trust`, where it names code to be imported; Damaged for an
    export that is not what was written; Blocked while another import of the name runs, and for
    documents that were erased here.
    """
    manifest = read_manifest(folder)
    kb = name or manifest.knowledge_base
    if not NAME.fullmatch(kb):
        raise UsageError(
            f"got --name {kb!r}; allowed: lower-case letters, digits and -, at most 63, a "
            f"letter first"
        )
    _free(ledger, kb)
    _trusted(manifest, trust)
    try:
        target = _target(home, manifest, kb, _store(manifest, store))
    except ValidationError as error:
        raise damaged(folder, f"its config is none: {error.errors()[0]['msg']}") from error
    origin = check(folder, manifest)
    with hold(home, kb) as lease:
        _free(ledger, kb)
        _admitted(ledger, kb, manifest, origin)
        try:
            cargo = unload(
                ledger,
                home,
                folder,
                manifest,
                origin,
                target.collection,
                target.store,
                target.embedder,
            )
            _admitted(
                ledger, kb, manifest, origin
            )  # the base of the export's own name may have lost one meanwhile
            _publish(ledger, lease, target, manifest, cargo)
        except BaseException:
            with contextlib.suppress(
                LlmopsError
            ):  # a store that does not answer: the next try empties it
                target.store.drop(target.collection, home)
            raise
    return {
        "knowledge_base": kb,
        "version": 1,
        "from": {"knowledge_base": manifest.knowledge_base, "version": manifest.version},
        "store": target.spec.name,
        **manifest.counts.model_dump(),
        "embeddings": {"computed": 0, "reused": manifest.counts.chunks},
        "warnings": _warnings(manifest),
    }


def _free(ledger: Ledger, kb: str) -> None:
    if kb in known(ledger):
        raise UsageError(
            f"the knowledge base {kb!r} exists already",
            hint="give another name: --name NAME",
            where=kb,
        )


def _trusted(manifest: Manifest, trust: bool) -> None:
    """An import runs no code that the user has not named. What installed packages register is the
    user's own choice.
    """
    spec = manifest.spec("embed")
    if "path" in spec.options and spec.name not in external("embedders") and not trust:
        raise UsageError(
            f"the export wants code to be imported and run for its embedder {spec.name}: "
            f"{str(spec.options['path'])[:200]!r}",
            hint="if you trust it and whoever wrote the export: --trust",
        )


def _admitted(ledger: Ledger, kb: str, manifest: Manifest, origin: Origin) -> None:
    """Raise Blocked where a document of the export was erased in this home, under the new name or
    under that of the export.
    """
    for name in {kb: None, manifest.knowledge_base: None}:
        hashes = barred(ledger, name)
        found = sorted(
            owner["uri"]
            for owner in origin.owners.values()
            if uri_hash(name, owner["uri"]) in hashes
        )
        if found:
            lifts = "; ".join(
                f"llmops kb erase {name} --uri {shlex.quote(uri)} --lift" for uri in found[:NAMED]
            )
            more = f"; and so on for all {len(found)}" if len(found) > NAMED else ""
            raise Blocked(
                f"documents of the export that were erased from {name!r} in this home: "
                f"{len(found)}; nothing was imported",
                hint=f"to let them in again: {lifts}{more}; or export a version without them",
                where=kb,
            )


def _store(manifest: Manifest, given: Spec | None) -> Spec:
    """The store that the user names, else the export's own where that is this home's: an import
    connects nowhere unasked.
    """
    own = manifest.spec("store")
    if given is None and own.options:
        raise UsageError(
            f"the export comes from a store with options of its own: {own.name} with "
            f"{', '.join(sorted(own.options))}",
            hint="say where it is to go: --store lancedb, or --store '{name: weaviate, url: …}'",
        )
    return given or own


def _target(home: Path, manifest: Manifest, kb: str, spec: Spec) -> Target:
    store, embedder = spec.build(Store), manifest.spec("embed").build(Embedder)
    if (embedder.fingerprint(), embedder.dimension) != (manifest.model, manifest.dimension):
        raise LlmopsError(
            f"the vectors are not those that the embedder "
            f"{manifest.embedder.get('name')!r} of this release computes",
            where=str(manifest.knowledge_base),
            hint="import with the release that exported, or build from the sources",
        )
    stages = Fingerprints(parse="", clean=(), check="", chunk=(), model=manifest.model)
    # A name of its own: a server may hold the collection of another home's knowledge base of the
    # same name.
    own = digest(str(home), socket.gethostname(), manifest.model_dump_json())[:6]
    return Target(
        kb, spec, store, embedder, f"{collection_name(kb, stages, store, manifest.facts)}.{own}"
    )


def _publish(
    ledger: Ledger, lease: Lease, target: Target, manifest: Manifest, cargo: Cargo
) -> None:
    """The one transaction that makes it known, with documents, chunks and the pointer."""
    config = dict(manifest.config) | {"store": target.spec.short()}
    gate = {
        "verdict": "skipped",
        "reason": f"imported from version {manifest.version} of {manifest.knowledge_base}",
        "metrics": {},
    }
    with ledger.write() as connection:
        lease.confirm(connection)
        connection.execute(
            insert(knowledge_bases).values(name=target.kb, next_version=2, live=1, created_at=now())
        )
        connection.execute(
            insert(versions).values(
                kb=target.kb,
                version=1,
                status="published",
                collection=target.collection,
                snapshot=cargo.snapshot,
                weight=manifest.weight,
                added=manifest.counts.chunks,
                retired=0,
                gate=gate,
                config=config,
                config_sha256=sha256(canonical(config)),
                created_at=now(),
                published_at=now(),
                **manifest.counts.model_dump(),
            )
        )
        _rows(connection, target.kb, cargo)


def _rows(connection: Connection, kb: str, cargo: Cargo) -> None:
    stamp: Mapping[str, Any] = {"kb": kb, "valid_from": 1, "valid_to": None}
    for table, parts in ((documents, cargo.documents()), (chunks, cargo.chunks())):
        for part in parts:
            upsert(connection, table, [{**row, **stamp} for row in part])


def _warnings(manifest: Manifest) -> list[str]:
    """What an embedder from elsewhere would do with questions."""
    told = canonical(manifest.spec("embed").options)
    names = sorted(set(SECRET.findall(told)))
    if not names and "://" not in told:
        return []
    secrets = f" with the value of {', '.join(names)}" if names else ""
    return [
        f"searches will send their questions{secrets} to the embedder that the export names: {told}"
    ]


def store_spec(text: str) -> Spec:
    """The value of `--store`: a name, or a YAML mapping as in a config. Raises ConfigError."""
    try:
        spec = Spec.model_validate(read_yaml(text))
        spec.build(Store)
    except (NoYaml, ValidationError) as error:
        why = (
            "; ".join(
                f"{'.'.join(map(str, one['loc']))}: {one['msg']}".removeprefix(": ")
                for one in error.errors()
            )
            if isinstance(error, ValidationError)
            else f"it is no YAML: {error}"
        )
        raise ConfigError(
            [
                Mistake(
                    f"got --store {text!r}: {why}",
                    hint="--store lancedb, or --store '{name: weaviate, url: …}'",
                    kind="usage",
                )
            ]
        ) from error
    return spec
