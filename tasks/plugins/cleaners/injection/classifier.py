"""A classifier of yours beside the phrases: a function by its import path, or an endpoint."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Literal, NamedTuple, Self, TypeGuard

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from llmops.tasks.endpoints.address import Address
from llmops.tasks.endpoints.patience import HINT, patiently
from llmops.tasks.endpoints.quota import quota_of
from llmops.tasks.endpoints.trouble import Garbled, JsonObject
from llmops.tasks.errors import (
    ConfigError,
    LlmopsError,
    Mistake,
    TransientDocumentError,
    Unavailable,
)
from llmops.tasks.plugins import digest
from llmops.tasks.plugins.cleaners.injection.signs import learned_score, windows
from llmops.tasks.plugins.importing import imported

WHERE = "clean: injection: classifier"


class JudgedPiece(NamedTuple):
    """Neighbouring sentences, and from 0 to 1 how surely they give orders to a model."""

    start: int
    end: int
    score: float


class InjectionClassifier(BaseModel):
    """`path`: a function (`package.module:function`) that is given texts and returns a score from 0
    to 1 for each. Or `base_url`: a service of text classification, whose score of `label` counts;
    `form` `tei` is Text Embeddings Inference (POST /predict), `huggingface` an Inference Endpoint
    of Hugging Face (POST at the address itself).

    A document is cut into pieces of about `size` characters; of those, `most_pieces` are asked
    about, the most suspicious first by what the small model says, in requests of `batch` at most.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    path: str = Field(default="", pattern=r"^([\w.]+:\w+)?$")
    base_url: Address | None = None
    api_key: SecretStr | None = None
    """Sent as the bearer token."""
    form: Literal["tei", "huggingface"] = "tei"
    label: str = "INJECTION"
    """What the model calls an injection, whatever its case."""
    threshold: float = Field(default=0.9, gt=0, le=1)
    """The score from which on a piece is suspected."""
    size: int = Field(default=1000, ge=100, le=20_000)
    most_pieces: int = Field(default=200, ge=1)
    batch: int = Field(default=16, ge=1)
    requests_per_minute: int | None = Field(default=None, ge=1)
    """As many requests start in a minute at most."""
    timeout: float = Field(default=30, gt=0)
    """Seconds of one attempt."""
    retries: int = Field(default=3, ge=0, le=20)
    """Further attempts."""
    patience: float = Field(default=600, gt=0)
    """Seconds that one request may take after its first trouble."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.path) == bool(self.base_url):
            got = "both" if self.path else "neither"
            raise ValueError(f"got {got} of path and base_url; one of them is wanted")
        return self

    def suspected(self, text: str) -> list[JudgedPiece]:
        """The pieces that reach the threshold. Raises Unavailable where the service cannot be
        asked, ConfigError where what answers is no such classifier: nothing passes unasked.
        """
        spans = sorted(
            (span for span in pieces(text, self.size) if text[slice(*span)].strip()),
            key=lambda span: -learned_score(text[slice(*span)]),
        )[: self.most_pieces]
        return self._reaching(text, spans)

    def culprits(self, text: str) -> list[JudgedPiece]:
        """The sentences of suspected pieces that reach the threshold by themselves; the whole piece
        where none does.
        """
        culprits = list[JudgedPiece]()
        for piece in self.suspected(text):
            spans = [
                (piece.start + start, piece.start + end)
                for start, end in windows(text[piece.start : piece.end])
                if text[piece.start + start : piece.start + end].strip()
            ]
            culprits += self._reaching(text, spans) or [piece]
        return culprits

    def _reaching(self, text: str, spans: Sequence[tuple[int, int]]) -> list[JudgedPiece]:
        found = list[JudgedPiece]()
        for first in range(0, len(spans), self.batch):
            asked = spans[first : first + self.batch]
            scores = self.scores([text[slice(*span)] for span in asked])
            found += (JudgedPiece(*span, score) for span, score in zip(asked, scores, strict=True))
        return [piece for piece in found if piece.score >= self.threshold]

    def scores(self, texts: Sequence[str]) -> list[float]:
        """One from 0 to 1 for each text."""
        given = self._function(list(texts)) if self.path else self._asked(texts)
        scores = [*given] if isinstance(given, Sequence) else []
        if len(scores) != len(texts) or not all(_is_share(score) for score in scores):
            raise _mistake(
                f"{self.path or self.base_url} gave {str(given)[:80]} for {len(texts)} texts",
                "a list with a number from 0 to 1 for each text is wanted",
            )
        return [float(score) for score in scores]

    @cached_property
    def _function(self) -> Callable[[Sequence[str]], object]:
        try:
            function = imported(self.path)
        except ValueError as error:
            raise _mistake(str(error), "name a function that can be imported") from error
        if not callable(function):
            raise _mistake(f"{self.path} is no function", "name a function of a list of texts")
        return function

    @property
    def quota(self) -> str:
        """Address and key."""
        return digest("classify", self.base_url or "", self._key or "")

    @property
    def title(self) -> str:
        return f"the classifier at {self.base_url}"

    @property
    def tokens_per_minute(self) -> None:
        """Nobody counts them."""

    @property
    def _key(self) -> str | None:
        return self.api_key.get_secret_value() if self.api_key else None

    def _asked(self, texts: Sequence[str]) -> list[float]:
        """What the service says."""
        from llmops.tasks.endpoints.http import waited

        try:
            answer = waited(self._answer(texts))
        except TransientDocumentError as error:  # no fault of these texts: others fare no better
            raise Unavailable(error.reason, hint=HINT) from error
        return [self._of_label(result) for result in answer]

    async def _answer(self, texts: Sequence[str]) -> list[object]:
        """A result for each text."""
        from llmops.tasks.endpoints.http import opened

        base = (self.base_url or "").rstrip("/")
        if self.form == "tei":  # a plain list of two texts would be one pair
            url, body = f"{base}/predict", {"inputs": [[text] for text in texts], "truncate": True}
        else:
            parameters = {"top_k": 100, "truncation": True}
            url, body = base, {"inputs": list(texts), "parameters": parameters}
        quota = quota_of(self)
        quota.join(self)
        async with opened(url, self._key, lists=True) as http:

            async def attempt() -> list[object]:
                return self._results(await http.post(body), len(texts))

            tried = await patiently(self, quota, attempt)
        quota.succeeded(tried.ticket, 0)
        return tried.value

    def _results(self, answer: JsonObject, count: int) -> list[object]:
        results = answer.get("results")
        if isinstance(results, list) and len(results) == count:
            return results
        raise Garbled(
            f"{self.base_url} gave no list of {count} results: {str(answer)[:80]}",
            f"check base_url and form ({self.form}) of {WHERE}",
        )

    def _of_label(self, result: object) -> float:
        """The score of the label that counts."""
        labels = {
            str(each["label"]): each.get("score")
            for each in (result if isinstance(result, list) else [result])
            if isinstance(each, dict) and "label" in each
        }
        for name, score in labels.items():
            if name.casefold() == self.label.casefold() and _is_share(score):
                return float(score)
        raise _mistake(
            f"{self.base_url} says {', '.join(labels) or str(result)[:80]}, not {self.label}",
            "label: the name that the model gives to injections; all its labels are wanted",
        )


def pieces(text: str, size: int) -> list[tuple[int, int]]:
    """Windows one after the other, together, up to about so many characters."""
    spans = list[tuple[int, int]]()
    for start, end in windows(text):
        if spans and end - spans[-1][0] <= size:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans


def _is_share(score: object) -> TypeGuard[float]:
    return isinstance(score, int | float) and 0 <= score <= 1


def _mistake(said: str, hint: str) -> LlmopsError:
    return ConfigError([Mistake(said, WHERE, hint)])
