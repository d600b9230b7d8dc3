"""What a knowledge base's collection is called in its store: by all that cannot be compared."""

from itertools import product

from llmops.tasks.filters.metadata import MetadataSchema
from llmops.tasks.plugins import canonical, digest, stores
from llmops.tasks.plugins.stores import Store
from llmops.tasks.texts import terms


def collection_name(kb: str, model: str, store: Store, schema: MetadataSchema) -> str:
    """One collection per knowledge base, store, model (the embedder's fingerprint), analyser and
    schema: what cannot be compared never mixes.
    """
    return f"{kb}-{_mark(model, store, schema, stores.REVISION, terms.REVISION)}"


def may_be_of(collection: str, model: str, store: Store, schema: MetadataSchema) -> bool:
    """Whether the vectors of a collection may be of this model; an earlier release may have made
    it.
    """
    revisions = product(range(1, stores.REVISION + 1), range(1, terms.REVISION + 1))
    return any(f"-{_mark(model, store, schema, *each)}" in collection for each in revisions)


def _mark(model: str, store: Store, schema: MetadataSchema, columns: int, analyser: int) -> str:
    parts = (model, store.fingerprint(), str(analyser))
    return digest(*parts, digest(str(columns), canonical(schema.fields)))[:8]
