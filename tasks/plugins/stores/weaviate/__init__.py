"""Weaviate, one node or a cluster. A snapshot is a number as text; a row lives from one number to
another.

In place changes of `valid_to` would let readers miss rows for a moment, so it is absent while a row
lives. After a crash, or a call whose outcome is unknown, nothing is resumed: `recover` takes
everything back, and the next build has a new number.
"""

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from llmops.tasks.errors import Damaged
from llmops.tasks.filters import Fields
from llmops.tasks.plugins import digest
from llmops.tasks.plugins.stores import Store, StoreCollection
from llmops.tasks.plugins.stores.weaviate.collection import WeaviateCollection
from llmops.tasks.plugins.stores.weaviate.connection import (
    connected,
    epoch,
    guarded,
    patiently,
    split,
)
from llmops.tasks.plugins.stores.weaviate.rows import class_name, schema

if TYPE_CHECKING:
    from weaviate import WeaviateClient
    from weaviate.auth import AuthCredentials
    from weaviate.collections.classes.config_base import _QuantizerConfigCreate

NO_FIELDS: Fields = MappingProxyType({})
GRPC = 50_051
SHAPES = ("url", "grpc_host", "grpc_port", "replication", "quantization", "exact_below")
"""The options that say where and how rows are stored; all others may change between two builds."""


class WeaviateStore(Store):
    """Weaviate 1.33 or newer. `url`: http or https; `grpc_port`: 50051, with https 443;
    `grpc_host`: that of the url.

    One of `api_key`, `bearer_token` and `client_secret` (OIDC, with `scopes`), given as `${NAME}`.
    `replication`: copies of each row; all must be written before a build is published.
    `quantization`: smaller vectors in memory, a little less exact. `exact_below`: up to that many
    rows a search compares every vector. `text_scores`: by the `server`, which also counts rows that
    are staged or were retired and not yet freed, or exact for the `snapshot`, which takes several
    times as long. Times in seconds: `timeout` for a question, with the wait
    for a server that restarts; `insert_timeout` for a batch; `index_timeout` for an index that is
    built behind.
    """

    requires: ClassVar[dict[str, str]] = {"weaviate": "pip install 'llmops-pipelines[weaviate]'"}
    url: str = "http://127.0.0.1:8080"
    grpc_host: str | None = None
    grpc_port: int | None = Field(default=None, ge=1, le=65_535)
    api_key: SecretStr | None = None
    bearer_token: SecretStr | None = None
    client_secret: SecretStr | None = None
    scopes: tuple[str, ...] = ()
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    """Sent with each request, such as a key of a proxy."""
    replication: int = Field(default=1, ge=1, le=100)
    quantization: Literal["none", "rq", "sq", "bq"] = "none"
    exact_below: int = Field(default=40_000, ge=0)
    text_scores: Literal["server", "snapshot"] = "server"
    timeout: float = Field(default=30, gt=0)
    insert_timeout: float = Field(default=120, gt=0)
    index_timeout: float = Field(default=3_600, gt=0)

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        parts = urlsplit(value)
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or parts.path.strip("/")
            or parts.query
            or parts.username
        ):
            raise ValueError(
                "an address like http://127.0.0.1:8080 or https://name.weaviate.cloud is "
                "wanted, without path or password"
            )
        try:
            split(value)
        except ValueError as error:
            raise ValueError(f"the port of the url is wrong: {error}") from error
        return value.rstrip("/")

    @model_validator(mode="after")
    def _one_credential(self) -> "WeaviateStore":
        given = [
            name
            for name in ("api_key", "bearer_token", "client_secret")
            if getattr(self, name) is not None
        ]
        if len(given) > 1:
            raise ValueError(f"got {' and '.join(given)}; one of them is wanted")
        empty = [name for name in given if not getattr(self, name).get_secret_value().strip()]
        if empty:
            raise ValueError(f"{empty[0]} is empty; leave it out for a server without a key")
        return self

    def fingerprint(self) -> str:
        """Keys, headers and times may change; rows stay where they are."""
        return digest(
            self.spelling().rpartition(".")[2],
            str(self.revision),
            *(str(getattr(self, name)) for name in SHAPES),
        )

    def open(
        self, name: str, dimension: int, home: Path, fields: Fields = NO_FIELDS
    ) -> StoreCollection:
        del home
        what, client = f"the Weaviate collection {name!r}", self._client()
        held = patiently(
            what, lambda: self._found_or_made(client, name, dimension, fields), self.timeout
        )
        if held != dimension:
            raise Damaged(
                f"{what} holds vectors of dimension {held}, not {dimension}",
                hint="drop the collection, or use the embedder that it was built with",
            )
        return WeaviateCollection(
            client,
            name,
            dimension,
            fields,
            lambda: self._make(client, name, dimension, fields),
            self.replication,
            self.timeout,
            self.index_timeout,
            scored_here=self.text_scores == "snapshot",
        )

    def drop(self, name: str, home: Path) -> None:
        del home
        with guarded(f"the Weaviate collection {name!r}"):
            self._client().collections.delete(class_name(name))

    def _make(self, client: "WeaviateClient", name: str, dimension: int, fields: Fields) -> None:
        """Create a collection; the description says what it is, as its name in Weaviate is a
        digest.
        """
        from weaviate.classes.config import Configure, StopwordsPreset, VectorDistances

        index = Configure.VectorIndex.hnsw(
            distance_metric=VectorDistances.COSINE,
            quantizer=self._quantizer(),
            flat_search_cutoff=self.exact_below,
        )
        client.collections.create(
            class_name(name),
            description=f"llmops collection {name}; vectors of dimension {dimension}",
            properties=schema(fields),
            inverted_index_config=Configure.inverted_index(stopwords_preset=StopwordsPreset.NONE),
            replication_config=Configure.replication(factor=self.replication),
            vector_config=Configure.Vectors.self_provided(vector_index_config=index),
        )

    def _quantizer(self) -> "_QuantizerConfigCreate":
        from weaviate.classes.config import Configure

        quantizer: _QuantizerConfigCreate = getattr(
            Configure.VectorIndex.Quantizer, self.quantization
        )()
        return quantizer

    def _found_or_made(
        self, client: "WeaviateClient", name: str, dimension: int, fields: Fields
    ) -> int:
        """The dimension of the collection."""
        from weaviate.exceptions import UnexpectedStatusCodeError

        epoch(client)  # a server that is starting denies collections that it has
        if not client.collections.exists(class_name(name)):
            try:
                self._make(client, name, dimension, fields)
            except UnexpectedStatusCodeError as error:
                if "already exists" not in str(error):
                    raise
        described = (
            client.collections.use(class_name(name)).config.get(simple=True).description or ""
        )
        return int(described.rpartition(" ")[2] or 0)

    def _client(self) -> "WeaviateClient":
        key = digest(
            self.model_dump_json(),
            *(
                secret.get_secret_value()
                for secret in (
                    self.api_key,
                    self.bearer_token,
                    self.client_secret,
                    *self.headers.values(),
                )
                if secret
            ),
        )
        return connected(key, self._new_client, f"Weaviate at {self.url}", self.timeout)

    def _new_client(self) -> "WeaviateClient":
        from weaviate import WeaviateClient
        from weaviate.classes.init import AdditionalConfig, Timeout
        from weaviate.config import GrpcConfig
        from weaviate.connect import ConnectionParams

        from llmops.tasks.plugins.stores.weaviate.connection import CHANNEL

        host, port, secure = split(self.url)
        place = ConnectionParams.from_params(
            http_host=host,
            http_port=port,
            http_secure=secure,
            grpc_host=self.grpc_host or host,
            grpc_port=self.grpc_port or (443 if secure else GRPC),
            grpc_secure=secure,
        )
        times = Timeout(query=self.timeout, insert=self.insert_timeout, init=self.timeout)
        headers = {name: value.get_secret_value() for name, value in self.headers.items()}
        return WeaviateClient(
            place,
            auth_client_secret=self._credentials(),
            additional_headers=headers,
            skip_init_checks=True,
            additional_config=AdditionalConfig(
                timeout=times, grpc_config=GrpcConfig(channel_options=CHANNEL)
            ),
        )

    def _credentials(self) -> "AuthCredentials | None":
        from weaviate.classes.init import Auth

        if self.api_key:
            return Auth.api_key(self.api_key.get_secret_value())
        if self.bearer_token:
            return Auth.bearer_token(self.bearer_token.get_secret_value())
        if self.client_secret:
            return Auth.client_credentials(self.client_secret.get_secret_value(), list(self.scopes))
        return None
