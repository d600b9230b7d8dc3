"""What a model folder is known by."""

from pathlib import Path

from llmops.tasks.plugins._model_folder import WHOLE, contents_of


def folder(path: Path, weights: int = 0) -> Path:
    path.mkdir()
    (path / "config.json").write_text("{}")
    with (path / "model.safetensors").open("wb") as file:
        file.truncate(WHOLE + 1_000_003)
        file.seek(0)
        file.write(bytes([weights]) * 4096)
    return path


def test_what_it_holds_counts_and_not_where_it_lies(tmp_path: Path) -> None:
    first, same = folder(tmp_path / "first"), folder(tmp_path / "same")
    other = folder(tmp_path / "other", weights=1)
    assert contents_of(first) == contents_of(same) != contents_of(other)
    (same / "README.md").write_text("A model card.")
    assert contents_of(first) == contents_of(same)
    (same / "config.json").write_text('{"more": 1}')
    assert contents_of(first) != contents_of(same)


def test_the_end_of_large_weights_is_looked_at(tmp_path: Path) -> None:
    first, same = folder(tmp_path / "first"), folder(tmp_path / "same")
    with (same / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"x")
    assert contents_of(first) != contents_of(same)


def test_a_name_in_the_model_hub_is_its_own_mark() -> None:
    assert contents_of(Path("house/model")) == "house/model"
