"""What an import must not do although the export is whole: bring back what was erased, or run code
that nobody has named.
"""

import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from llmops.tasks.errors import Blocked, LlmopsError, UsageError
from llmops.tasks.knowledge.handle import known
from llmops.tasks.knowledge.suppressed import lift
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.leases import hold
from llmops.tasks.ledger.tables import documents
from llmops.tasks.maintenance.drop import drop
from llmops.tasks.maintenance.erase import erase
from llmops.tasks.maintenance.import_checks import Texts
from llmops.tasks.maintenance.importing import bring_in
from llmops.tasks.maintenance.importing import unload as original
from llmops.tasks.plugins import Spec
from tests.maintenance.haystack import SECRET, SENTENCE, URI, places
from tests.maintenance.test_export import LANCE, exported, imported
from tests.maintenance.test_import_damage import both, set_in
from tests.workshop import TEXTS, Workshop

EVIL = """
from pathlib import Path
Path(__file__).with_suffix(".ran").touch()
class Embedding: pass
"""


def erased_after_export(shop: Workshop, *uris: str) -> Path:
    shop.build(TEXTS | dict.fromkeys(uris, SECRET))
    folder = exported(shop)
    for uri in uris:
        erase(shop.handle, uri)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", [None, "another"])
def test_what_was_erased_does_not_come_back(lance_shop: Workshop, name: str | None) -> None:
    shop = lance_shop
    folder = erased_after_export(shop, URI)
    if name is None:
        with hold(shop.home, shop.kb) as lease:
            drop(shop.handle, lease)
    before = known(shop.ledger)
    with pytest.raises(Blocked, match="erased from 'shop' in this home: 1") as raised:
        bring_in(shop.home, folder, name, LANCE)
    assert raised.value.exit_code == 3
    assert f"llmops kb erase shop --uri {URI} --lift" in raised.value.hint
    assert known(shop.ledger) == before
    assert places(shop.home, SENTENCE) == []
    lift(shop.handle, URI)
    assert bring_in(shop.home, folder, name, LANCE)["documents"] == len(TEXTS) + 1


@pytest.mark.slow
def test_a_bar_under_the_new_name_counts_too_and_all_are_counted(lance_shop: Workshop) -> None:
    """Another base of the same home has erased them; elsewhere, where nobody has, the export goes
    in.
    """
    one = lance_shop
    uris = [f"memo {number}.txt" for number in range(5)]
    one.build(TEXTS | dict.fromkeys(uris, SECRET))
    folder = exported(one)
    other = Workshop(one.folder, LANCE, kb="other")
    other.build(TEXTS | dict.fromkeys(uris, SECRET))
    for uri in uris:
        erase(other.handle, uri)
    with hold(other.home, other.kb) as lease:
        drop(other.handle, lease)
    with pytest.raises(Blocked, match="erased from 'other' in this home: 5") as raised:
        bring_in(one.home, folder, "other", LANCE)
    assert "--uri 'memo 0.txt' --lift" in raised.value.hint
    assert "for all 5" in raised.value.hint
    assert imported(one, folder, name="third", home="home").live.documents == len(TEXTS) + 5
    assert imported(one, folder, name="other", home="elsewhere").live.documents == len(TEXTS) + 5


@pytest.mark.slow
def test_an_erasure_while_the_import_runs_counts(
    lance_shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = lance_shop
    shop.build({**TEXTS, URI: SECRET})
    folder = exported(shop)
    with monkeypatch.context() as patched:

        def unload(*arguments: Any) -> Any:
            cargo = original(*arguments)
            erase(shop.handle, URI)
            return cargo

        patched.setattr("llmops.tasks.maintenance.importing.unload", unload)
        with pytest.raises(Blocked, match="were erased"):
            bring_in(shop.home, folder, "copy", LANCE)
    assert known(shop.ledger) == [shop.kb]
    with shop.ledger.read() as connection:
        assert (
            connection.scalar(
                select(func.count()).select_from(documents).where(documents.c.kb == "copy")
            )
            == 0
        )


def test_no_code_is_imported_that_the_user_has_not_named(
    lance_shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("llama_index.core", reason="needs llama-index-core")
    lance_shop.build(TEXTS)
    folder, home = exported(lance_shop), lance_shop.folder / "other"
    code = lance_shop.folder / "evilmod.py"
    code.write_text(EVIL)
    monkeypatch.syspath_prepend(lance_shop.folder)
    for spec in (
        {"name": "llamaindex", "path": "evilmod.Embedding", "dimensions": 384},
        {"name": "llamaindex", "options": {"path": "evilmod.Embedding", "dimensions": 384}},
    ):
        both(set_in("config", "embed", to=spec), set_in("embedder", to=spec))(folder)
        with pytest.raises(UsageError, match=r"'evilmod\.Embedding'") as raised:
            bring_in(home, folder, None, LANCE)
        assert "--trust" in raised.value.hint
    assert not code.with_suffix(".ran").exists()
    assert "evilmod" not in sys.modules
    with pytest.raises(LlmopsError, match="no embedding of LlamaIndex"):
        bring_in(home, folder, None, LANCE, trust=True)
    assert code.with_suffix(".ran").exists()
    monkeypatch.delitem(sys.modules, "evilmod")


@pytest.mark.slow
def test_trust_lets_a_true_one_in(lance_shop: Workshop) -> None:
    pytest.importorskip("llama_index.core", reason="needs llama-index-core")
    lance_shop.embedder = Spec(
        name="llamaindex",
        options={
            "path": "llama_index.core.embeddings.mock_embed_model.MockEmbedding",
            "options": {"embed_dim": 8},
            "dimensions": 8,
        },
    )
    lance_shop.build(TEXTS)
    folder, home = exported(lance_shop), lance_shop.folder / "other"
    with pytest.raises(UsageError, match="code to be imported"):
        bring_in(home, folder, None, LANCE)
    assert known(open_ledger(home)) == []
    assert bring_in(home, folder, None, LANCE, trust=True)["documents"] == len(TEXTS)


def test_texts_are_found_by_their_key() -> None:
    with Texts() as texts:
        for key, text in {"a": "Zoë 🚢", "b": "", "c": "last"}.items():
            texts.add(key, text)
        assert [texts.of(key) for key in "cabca"] == ["last", "Zoë 🚢", "", "last", "Zoë 🚢"]
        with pytest.raises(KeyError):
            texts.of("d")
