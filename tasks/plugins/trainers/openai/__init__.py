"""The trainer `openai`: fine-tuning jobs at any service with OpenAI's API."""

import logging
import secrets
import time
from pathlib import Path
from typing import ClassVar

from pydantic import Field, SecretStr

from llmops.tasks.endpoints.address import Address
from llmops.tasks.endpoints.trouble import JsonObject
from llmops.tasks.errors import DocumentError, LlmopsError, Unavailable
from llmops.tasks.plugins import canonical, digest
from llmops.tasks.plugins.trainers import (
    DatasetTrainer,
    Kind,
    Payment,
    TrainedModel,
    TrainingCost,
    TrainingData,
    TrainingRun,
)
from llmops.tasks.plugins.trainers.openai.jobs import FineTuningService, TrainingEndpoint, refused
from llmops.tasks.plugins.trainers.openai.record import (
    FILE,
    OVER,
    JobRecord,
    read_record,
)
from llmops.tasks.plugins.trainers.openai.rules import check_file

log = logging.getLogger(__name__)
METHODS = {"openai_chat": "supervised", "openai_dpo": "dpo"}
SOON = 10.0
"""Seconds for which a cancellation is tried: somebody waits for the end."""
SENT = {"train": "training_file", "validation": "validation_file"}


class OpenAiTrainer(DatasetTrainer):
    """`openai_chat` trains by supervision, `openai_dpo` by preference."""

    kind: ClassVar[Kind] = "llm"
    formats: ClassVar[tuple[str, ...]] = ("openai_chat", "openai_dpo")
    model: str = Field(min_length=1)
    """The model to start from, as the service calls it."""
    base_url: Address = "https://api.openai.com/v1"
    """The address of a service with OpenAI's fine-tuning API."""
    api_key: SecretStr | None = None
    """The key of the service, as `${NAME}` of a variable."""
    epochs: int = Field(default=3, ge=1, le=50)
    """How often each row is seen; always told to the service, so that the cost is known before."""
    batch_size: int | None = Field(default=None, ge=1)
    """Rows in one step; without it, as the service chooses."""
    learning_rate_multiplier: float | None = Field(default=None, gt=0)
    """How much faster than usual the weights move; without it, as the service chooses."""
    beta: float | None = Field(default=None, gt=0)
    """How close the model stays to where it began, for openai_dpo alone; without it, as the
    service chooses.
    """
    seed: int = Field(default=7, ge=0)
    """The seed of everything random."""
    suffix: str | None = Field(default=None, pattern=r"^[A-Za-z0-9-]{1,64}$")
    """A part of the name that the service gives to the model."""
    validation: bool = True
    """Whether the side for validation is sent, too."""
    price_per_million: float | None = Field(default=None, ge=0)
    """US dollars for a million tokens that are trained on; 0 at a service of one's own."""
    parameters: dict[str, object] = Field(default_factory=dict)
    """More keys of the request that creates the job."""
    every: float = Field(default=10, gt=0)
    """Seconds between two looks at the job."""
    timeout: float = Field(default=120, gt=0)
    """Seconds that one request may take."""
    patience: float = Field(default=600, ge=0)
    """Seconds for which a service that is busy or gone is tried again."""

    def identity(self) -> str:
        """What is trained where; not the key, the price, or how patiently."""
        beside = {"api_key", "price_per_million", "every", "timeout", "patience", "version"}
        said = self.model_dump(mode="json", exclude=beside)
        return digest(self.spelling(), canonical(said))

    def check(self, data: TrainingData) -> None:
        for split, path in self._sent(data).items():
            check_file(path, data.format, **({} if split == "train" else {"least": 1}))

    def forecast(self, data: TrainingData, folder: Path) -> TrainingCost:
        """Nothing is left to pay where the job was created before."""
        tokens = data.tokens.get("train", 0) * self.epochs
        record = read_record(folder)
        if record is not None and record.job and record.ended in (None, "succeeded"):
            return TrainingCost(tokens, 0.0)
        return TrainingCost(tokens, self._cost(tokens))

    def train(self, data: TrainingData, run: TrainingRun) -> TrainedModel:
        """Sends the files, creates the job, and follows it; a job that was created before is taken
        up. Whoever interrupts it cancels the job; a killed one leaves it at work.

        Raises ConfigError for files that the service would refuse, UsageError where it refuses
        them, LlmopsError for a job that fails, Unavailable where the service does not answer.
        """
        self.check(data)
        record = read_record(run.folder)
        if record is None or record.ended in ("failed", "cancelled"):
            record = JobRecord(token=secrets.token_hex(8))  # found again by it, so unlike any other
        service = self._service()
        try:
            return self._followed(service, self._begun(service, data, run, record), run)
        except BaseException as error:
            if not isinstance(error, Exception):  # Ctrl-C, or a flow that is cancelled
                self._cancelled(self._service(SOON), run)
            raise

    def _begun(
        self, service: FineTuningService, data: TrainingData, run: TrainingRun, record: JobRecord
    ) -> JobRecord:
        if record.job:
            return record
        for split, path in self._sent(data).items():
            if split not in record.files:
                record = record.changed(run.folder, sending=split)
                sent = service.send(path, f"{data.name}-{split}-{record.token}.jsonl")
                files = {**record.files, split: sent}
                record = record.changed(run.folder, sending=None, files=files)
            service.ready(record.files[split])
        record = record.changed(run.folder, asked=True)
        try:
            job = service.create(self._body(data, record), record.token)
        except DocumentError as error:
            record.changed(run.folder, asked=False)
            raise refused(error) from error
        return record.changed(run.folder, job=job)

    def _followed(
        self, service: FineTuningService, record: JobRecord, run: TrainingRun
    ) -> TrainedModel:
        job, seen, last = str(record.job), set[str](), dict[str, float]()
        while True:
            content = service.job(job)
            for event in service.events(job, seen):
                if event.metrics:
                    run.step(event.step, event.metrics)
                    last |= event.metrics
            if content.get("status") in OVER:
                break
            time.sleep(service.every)
        self._paid(content, run)
        record.changed(run.folder, ended=content["status"])
        if content["status"] != "succeeded":
            raise self._ended(content)
        name = content.get("fine_tuned_model")
        if not name:
            raise Unavailable(f"the job {job} succeeded, and names no model", hint=self.base_url)
        tokens = int(content.get("trained_tokens") or 0)
        figures = {**last, "trained_tokens": float(tokens)}
        return TrainedModel((FILE,), figures, str(name), llm=self._llm(str(name)), base=self._llm())

    def _cancelled(self, service: FineTuningService, run: TrainingRun) -> None:
        record = read_record(run.folder)
        if record is None or record.ended or not (record.job or record.asked):
            return
        try:
            found = service.job_of(record.token, record.files["train"])
            job = record.job or (str(found["id"]) if found else None)
            if job is None:
                return
            content = service.cancel(job)
            log.warning("the job %s is cancelled", job)
            self._paid(content, run)
            status = content.get("status")
            record.changed(run.folder, job=job, ended=status if status in OVER else "cancelled")
        except (LlmopsError, DocumentError) as error:
            log.error(
                "the job %s could not be cancelled, and goes on at %s: %s",
                record.job or record.token,
                self.base_url,
                error,
            )

    def _paid(self, content: JsonObject, run: TrainingRun) -> None:
        """A service counts what was trained until a job ended, however it ended."""
        tokens = int(content.get("trained_tokens") or 0)
        if tokens:
            cost = self._cost(tokens)
            run.paid(Payment(str(content["id"]), tokens, cost or 0.0, cost is not None))

    def _ended(self, content: JsonObject) -> LlmopsError:
        said = content.get("error") or {}
        why = f": {said['message']}" if said.get("message") else ""
        return LlmopsError(
            f"the job {content['id']} {content['status']}{why}",
            hint="the next run begins a new job",
            where=self.base_url,
        )

    def _body(self, data: TrainingData, record: JobRecord) -> dict[str, object]:
        method = METHODS[data.format]
        given = {
            "n_epochs": self.epochs,
            "batch_size": self.batch_size,
            "learning_rate_multiplier": self.learning_rate_multiplier,
            "beta": self.beta if method == "dpo" else None,
        }
        numbers = {name: value for name, value in given.items() if value is not None}
        return {
            "model": self.model,
            **{SENT[split]: file for split, file in record.files.items()},
            "method": {"type": method, method: {"hyperparameters": numbers}},
            "seed": self.seed,
            "metadata": {"llmops": record.token, "dataset": data.name, "sha256": data.sha256},
            **({"suffix": self.suffix} if self.suffix else {}),
            **self.parameters,
        }

    def _sent(self, data: TrainingData) -> dict[str, Path]:
        wanted = SENT if self.validation else ("train",)
        return {split: path for split, path in data.files.items() if split in wanted}

    def _llm(self, name: str | None = None) -> dict[str, object]:
        usual = self.base_url == type(self).model_fields["base_url"].default
        place = {} if usual else {"base_url": self.base_url}
        return {"name": "openai", "model": name or self.model, **place}

    def _cost(self, tokens: int) -> float | None:
        return None if self.price_per_million is None else tokens * self.price_per_million / 1e6

    def _service(self, patience: float | None = None) -> FineTuningService:
        endpoint = TrainingEndpoint(self.base_url, self.api_key, self.timeout)
        return FineTuningService(
            endpoint, self.patience if patience is None else patience, self.every
        )
