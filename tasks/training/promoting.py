"""A trained embedder against the live one, and the alias that moves where it passes."""

import json
from pathlib import Path

from llmops.tasks.datasets.training.publishing import read_lineage
from llmops.tasks.knowledge.reading import embedder_of
from llmops.tasks.models import LIVE, SCHEME
from llmops.tasks.models.files import placed
from llmops.tasks.models.moving import ModelDecision, promote
from llmops.tasks.models.references import resolve
from llmops.tasks.models.registry import all_versions, held_by
from llmops.tasks.models.version import RegisteredModel
from llmops.tasks.plugins import Spec, canonical
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.exporters.triplets import answering
from llmops.tasks.plugins.trainers.sentence_transformers import SentenceTransformersTrainer
from llmops.tasks.plugins.trainers.sentence_transformers.rows import files_of, texts_of
from llmops.tasks.schemas import sha256
from llmops.tasks.tracking.models import open_models
from llmops.tasks.training.crossfit import Tell
from llmops.tasks.training.embedder_gate import CandidateEmbedder, EmbedderGate, decide_embedder
from llmops.tasks.training.embedder_search import TrainedRows, live_version
from llmops.tasks.training.model_outcome import ModelOutcome
from llmops.tasks.training.published import learnt_from, version_of
from llmops.tasks.training.spec import TrainSpec

DECISION = "gate.json"
SPLITS = ("train", "validation")


def gated(home: Path, spec: TrainSpec, outcome: ModelOutcome, tell: Tell) -> ModelOutcome:
    """The outcome with what its gate says; as it is where the config asks for none. Raises Blocked
    where another version was promoted meanwhile.
    """
    trainer = spec.of_dataset()
    if not isinstance(trainer, SentenceTransformersTrainer) or trainer.knowledge_base is None:
        return outcome
    trained = Spec.model_validate(outcome.embed).build(Embedder)
    live = live_version(home, trainer.knowledge_base)
    if trained.fingerprint() == embedder_of(live).fingerprint():
        said = f"{live.kb} is served by this very embedder already"
        return outcome.model_copy(update={"reason": said})
    versions = _versions(home, outcome)
    held = held_by(versions, LIVE)
    if held is not None and held.uri == outcome.registered:
        said = f"{held.uri} is live already; the next build of {live.kb} serves it"
        return outcome.model_copy(update={"reason": said})
    if waiting := _not_built(home, live.kb, held, embedder_of(live)):
        return outcome.model_copy(update={"status": "inconclusive", "reason": waiting})
    candidate = CandidateEmbedder(
        home, spec.folder, trained, trained_rows(home, spec, trainer), tell
    )
    gate = decide_embedder(candidate, trainer)
    told = outcome.model_copy(
        update={"embedder_gate": gate, "status": gate.status, "reason": gate.reason}
    )
    told = told.warned(*gate.warnings)
    decision = _written(Path(outcome.folder), outcome, gate)
    return _promoted(home, told, decision, versions) if gate.status == "promoted" else told


def trained_rows(home: Path, spec: TrainSpec, trainer: SentenceTransformersTrainer) -> TrainedRows:
    """What the data set says that the model was trained on, or watched by. Raises Damaged where its
    lineage cannot be read.
    """
    learnt = learnt_from(home, spec.name, trainer)
    files = [path for split in SPLITS for path in files_of(learnt.data, split)]
    texts = [each for path in files for each in texts_of(path)]
    folder, _ = version_of(home, trainer.dataset or spec.name, learnt.told.version)
    mine = (each["lineage"] for each in read_lineage(folder) if each["split"] in SPLITS)
    uris = frozenset[str]().union(*map(answering, mine))
    return TrainedRows([each[0] for each in texts], [each[1] for each in texts], uris)


def _versions(home: Path, outcome: ModelOutcome) -> list[RegisteredModel]:
    """Of this model, newest first; none where it is not registered."""
    if outcome.registered is None:
        return []
    with open_models(home) as shelf:
        return all_versions(shelf, outcome.name)


def _not_built(home: Path, kb: str, held: RegisteredModel | None, serving: Embedder) -> str:
    """Why there is nothing to compare with yet: the version that is live is not what the knowledge
    base is served by.
    """
    if held is None:
        return ""
    expected = placed(home, held.spec).build(Embedder).fingerprint()
    if expected == serving.fingerprint():
        return ""
    return (
        f"{held.uri} is live, and {kb} is served by another embedder: build it with embed: "
        f'{{name: {held.spec.name}, model: "{SCHEME}{held.name}@{LIVE}"}} first, so that the '
        "gate compares with what is served"
    )


def _written(folder: Path, outcome: ModelOutcome, gate: EmbedderGate) -> ModelDecision:
    """The decision as a file beside the model, and its hash."""
    content = {
        "name": outcome.name,
        "model": outcome.registered,
        "dataset_sha256": outcome.dataset.sha256,
        **gate.model_dump(mode="json"),
    }
    text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    (folder / DECISION).write_text(text, encoding="utf-8", newline="\n")
    mine = sha256(canonical(content))
    return {"id": f"{outcome.name}-{mine[:12]}", "sha256": mine}


def _promoted(
    home: Path, outcome: ModelOutcome, decision: ModelDecision, versions: list[RegisteredModel]
) -> ModelOutcome:
    """The alias moves. Where the model is not registered, the outcome says what to write."""
    shown = canonical(outcome.embed)
    if outcome.registered is None:
        said = f"{outcome.reason}; it is not registered, so name it in the index config: {shown}"
        return outcome.model_copy(update={"status": "trained", "reason": said})
    held = held_by(versions, LIVE)
    base = next((each for each in versions if not each.trained), None)
    before = held or base
    mine = resolve(home, outcome.registered)
    promote(home, outcome.name, mine.version, decision, before.version if before else None)
    name = f'{{name: {mine.spec.name}, model: "{SCHEME}{mine.name}@{LIVE}"}}'
    said = f"{outcome.reason}; the next build with embed: {name} serves it"
    return outcome.model_copy(update={"reason": said})
