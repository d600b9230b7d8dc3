"""Every mistake that a config can hold: named with file and key path, with what is allowed, all of
them at once.
"""

from pathlib import Path
from typing import Any

import pytest

from llmops.configs import check_all, read
from llmops.configs.index import IndexConfig
from llmops.configs.reading import apply
from llmops.tasks.errors import ConfigError
from llmops.tasks.plugins import Spec
from llmops.tasks.yaml_files import write_yaml


def write(folder: Path, **keys: Any) -> Path:
    (folder / "docs").mkdir(exist_ok=True)
    file = folder / "kb.yaml"
    content = {
        "flow": "index",
        "knowledge_base": "handbook",
        "sources": [{"name": "files", "path": "docs"}],
        "embed": "hash",
    }
    file.write_text(
        write_yaml({key: value for key, value in (content | keys).items() if value != "GONE"})
    )
    return file


def mistakes(file: Path, *changes: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(file, IndexConfig, changes)
    return [str(mistake) for mistake in caught.value.found]


def test_the_smallest_config_has_defaults_that_serve(tmp_path: Path) -> None:
    config = read(write(tmp_path, embed="GONE"), IndexConfig)
    assert (config.chunk.name, config.embed.name, config.store.name) == (
        "sentence",
        "minilm",
        "lancedb",
    )
    assert (
        config.limits.max_delete_fraction,
        config.limits.failure_budget,
        config.limits.keep_versions,
    ) == (0.2, 0.05, 10)
    assert [spec.name for spec in config.clean] == ["unicode", "whitespace"]


@pytest.mark.parametrize(
    ("keys", "where", "says"),
    [
        ({"surces": []}, "surces", "did you mean sources?"),
        ({"knowledge_base": "Hand Book"}, "knowledge_base", "pattern"),
        ({"knowledge_base": "GONE"}, "knowledge_base", "is missing"),
        ({"sources": []}, "sources", "at least 1"),
        (
            {"limits": {"failure_budget": 3}},
            "limits.failure_budget",
            "less than or equal to 1, got 3",
        ),
        ({"limits": {"failur_budget": 1}}, "limits.failur_budget", "did you mean failure_budget?"),
        ({"chunk": {"name": "sentense"}}, "chunk", "did you mean sentence?"),
        ({"chunk": {"name": "sentence", "siz": 4}}, "chunk.siz", "did you mean size?"),
        ({"chunk": {"name": "sentence", "size": "big"}}, "chunk.size", "got 'big'"),
        (
            {"chunk": {"name": "sentence", "size": 4}},
            "chunk.size",
            "greater than or equal to 8, got 4",
        ),
        (
            {"chunk": {"name": "sentence", "size": 300}, "embed": "minilm"},
            "chunk.size",
            "allowed: 8 to 254",
        ),
        ({"chunk": {"size": 3}}, "chunk.size", "greater than or equal to 8, got 3"),
        (
            {"chunk": {"size": 50, "overlap": 60}},
            "chunk.overlap",
            "the overlap must be smaller than the size, which is 50, got 60",
        ),
        (
            {"schedule": {"cron": "99 99 99 99 99"}},
            "schedule.cron",
            "the minute never comes; allowed: minute 0-59, hour 0-23",
        ),
        ({"schedule": {"cron": "0 25 * * *"}}, "schedule.cron", "the hour never comes"),
        ({"schedule": {"cron": "0 3 30 2 *"}}, "schedule.cron", "the day-of-month never comes"),
        ({"schedule": {"cron": "0 3 * * 5L"}}, "schedule.cron", "the day-of-week never comes"),
        ({"schedule": {"cron": "@reboot"}}, "schedule.cron", "five fields are wanted"),
        ({"schedule": {"cron": "*/90 * * * *"}}, "schedule.cron", "*/90 in the minute leaves 0"),
        ({"schedule": {"cron": "0 */24 * * *"}}, "schedule.cron", "steps up to 23"),
        ({"schedule": {"cron": "0-30/45 * * * *"}}, "schedule.cron", "steps up to 30"),
        ({"schedule": "0 3 * * *"}, "schedule", 'write it as schedule: {cron: "0 3 * * *"'),
        (
            {"schedule": {"cron": "0 3 * * *", "timezone": "Europe/Berlinn"}},
            "schedule.timezone",
            "did you mean Europe/Berlin?",
        ),
        (
            {"schedule": {"cron": "0 3 * * *", "timezone": "europe/berlin"}},
            "schedule.timezone",
            "did you mean Europe/Berlin?",
        ),
        (
            {
                "sources": [
                    {"name": "files", "path": "a"},
                    {"name": "files", "path": "b", "id": None},
                ]
            },
            "",
            "two sources are called files",
        ),
        ({"chunk": 30}, "chunk", "a plugin's name is wanted"),
        ({"sources": [{"name": "filez", "path": "x"}]}, "sources[0]", "did you mean files?"),
        ({"sources": [{"name": "files"}]}, "sources[0].path", "is missing"),
        (
            {"sources": [{"name": "files", "path": "a"}, {"name": "files", "path": "b"}]},
            "",
            "give each an id",
        ),
        ({"clean": ["unicod"]}, "clean[0]", "did you mean unicode?"),
        ({"gate": {"golden": "gone.jsonl"}}, "gate.golden", "no such file"),
        ({"expectations": "gone.yaml"}, "expectations", "no such file"),
        ({"gate": {"golden": "g.jsonl", "metrics": {"recal": {}}}}, "gate.metrics", "recall"),
        ({"fields": {"year": "int"}}, "fields.year", "input should be 'text', 'integer'"),
        ({"flow": "indx"}, "flow", "allowed: index"),
        ({"store": {"name": "weviate"}}, "store", "allowed: lancedb"),
    ],
)
def test_a_mistake_names_its_place_and_what_is_allowed(
    tmp_path: Path, keys: dict[str, Any], where: str, says: str
) -> None:
    file = write(tmp_path, **keys)
    found = mistakes(file)
    assert any(one.startswith(f"{file}: {where}") and says in one for one in found), found


@pytest.mark.parametrize("name", ["lang", "labels", "Year", "flags"])
def test_a_field_that_cannot_be_declared_is_named_and_not_shown_as_a_dict(
    tmp_path: Path, name: str
) -> None:
    file = write(tmp_path, fields={"year": "integer", name: "text"})
    (found,) = mistakes(file)
    assert found.startswith(
        f"{file}: fields: {name!r} cannot be declared; allowed: lower-case letters"
    )
    assert "{" not in found


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    found = mistakes(
        write(
            tmp_path, surces=1, chunk={"name": "sentense"}, limits={"keep_versions": 0}, clean=["x"]
        )
    )
    assert len(found) == 4


def test_a_missing_secret_is_named_and_a_given_one_is_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path, store={"name": "lancedb", "uri": "${STORE_URI}", "bad": 1})
    monkeypatch.delenv("STORE_URI", raising=False)
    assert any("the environment variable STORE_URI is not set" in one for one in mistakes(file))
    monkeypatch.setenv("STORE_URI", "s3://very-secret")
    assert "very-secret" not in " ".join(mistakes(file))
    config = read(write(tmp_path, store={"name": "lancedb", "uri": "${STORE_URI}"}), IndexConfig)
    assert "very-secret" not in str(config.recorded())
    assert "very-secret" not in config.model_dump_json()


def test_env_beside_the_config_gives_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ENV_FILE_URI", raising=False)
    monkeypatch.setattr("os.environ", {**__import__("os").environ})
    (tmp_path / ".env").write_text("ENV_FILE_URI=here\n")
    assert read(
        write(tmp_path, store={"name": "lancedb", "uri": "${ENV_FILE_URI}"}), IndexConfig
    ).store.options == {"uri": "${ENV_FILE_URI}"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"flow: [index", "not valid YAML"),
        (b"- a\n- b\n", "a mapping of keys is wanted"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"", "the file is empty"),
    ],
)
def test_a_file_that_is_no_config(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "kb.yaml"
    file.write_bytes(content)
    assert any(says in one for one in mistakes(file))


def test_a_missing_file_names_what_is_there_and_a_folder_is_not_a_file(tmp_path: Path) -> None:
    write(tmp_path)
    assert "kb.yaml" in mistakes(tmp_path / "kbb.yaml")[0]
    assert "this is a folder" in mistakes(tmp_path)[0]


def test_overrides(tmp_path: Path) -> None:
    file = write(tmp_path)
    config = read(
        file,
        IndexConfig,
        ["chunk.size=30", "limits.keep_versions=3", "sources.0.include=['*.md']", "embed=hash"],
    )
    assert (config.chunk, config.limits.keep_versions) == (
        Spec(name="sentence", options={"size": 30}),
        3,
    )
    assert config.sources[0].options["include"] == ["*.md"]
    assert "--set" in mistakes(file, "chunk.size")[0]
    assert "sources.0" in mistakes(file, "sources.x=1")[0]
    assert apply({"chunk": "sentence"}, ["chunk.size=9"], IndexConfig.default_plugins()) == {
        "chunk": {"name": "sentence", "size": 9}
    }


@pytest.mark.parametrize(
    "cron", ["0 3 * * *", "*/15 8-18 * * mon-fri", "0 3 L * ?", "0 3 * * FRI#2", "@daily"]
)
def test_a_cron_that_comes_to_pass(tmp_path: Path, cron: str) -> None:
    config = read(write(tmp_path, schedule={"cron": cron}), IndexConfig)
    assert config.schedule is not None
    assert config.schedule.cron == cron


def test_a_small_size_needs_no_overlap_of_its_own(tmp_path: Path) -> None:
    assert read(write(tmp_path, chunk={"size": 10}), IndexConfig).chunk.options == {"size": 10}


def test_a_source_whose_id_is_null_is_called_by_its_name(tmp_path: Path) -> None:
    source = {"name": "files", "path": "docs", "id": None, "labels": ["staff"]}
    config = read(write(tmp_path, sources=[source]), IndexConfig)
    assert config.source("files") is config.sources[0]
    assert config.metadata_schema.sources == {"files": ("staff",)}


def test_the_folder_that_one_stands_in_is_checked_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="no config in this folder"):
        check_all([Path()])
    write(tmp_path)
    assert check_all([Path()]) == ["kb.yaml"]


def test_check_reads_folders_and_finds_paths_that_never_existed(tmp_path: Path) -> None:
    file = write(tmp_path)
    (tmp_path / "notes.yaml").write_text("something: else")
    assert check_all([tmp_path]) == [str(file)]
    write(tmp_path, sources=[{"name": "files", "path": "nowhere"}])
    with pytest.raises(ConfigError, match="nowhere"):
        check_all([tmp_path])


def test_what_is_missing_is_told_with_all_other_mistakes_in_one_go(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        sources=[
            {"name": "files", "path": "nowhere"},
            {"name": "jsonl", "path": "gone.jsonl"},
            {"name": "nosuch"},
        ],
        gate={"golden": ["golden.jsonl", 7]},
        expectations="expected.yaml",
        limits={"keep_versions": 0},
    )
    with pytest.raises(ConfigError) as caught:
        check_all([file])
    told = "\n".join(map(str, caught.value.found))
    for wanted in (
        *("sources[0]: ", "nowhere does not exist", "sources[1]: ", "gone.jsonl is no file"),
        *("sources[2]: unknown name 'nosuch'", "keep_versions", "gate.golden: a path is wanted"),
        "expectations: no such file",
    ):
        assert wanted in told, told
    write(
        tmp_path,
        sources=[{"name": "files", "path": "nowhere"}],
        gate={"golden": "golden.jsonl"},
        chunk={"name": "sentence", "size": 300},
        embed="minilm",
    )
    with pytest.raises(ConfigError) as caught:
        check_all([file])
    places = [mistake.where.partition(": ")[2] for mistake in caught.value.found]
    assert places == ["gate.golden", "chunk.size", "sources[0]"]


def test_the_recorded_config_has_the_short_form_and_a_stable_hash(tmp_path: Path) -> None:
    one, two = (
        read(write(tmp_path), IndexConfig).recorded(),
        read(write(tmp_path), IndexConfig, ["limits.keep_versions=10"]).recorded(),
    )
    assert one["config"]["chunk"] == {"name": "sentence"}
    assert one["config_sha256"] == two["config_sha256"]
    assert (
        read(write(tmp_path), IndexConfig, ["chunk.size=30"]).recorded()["config_sha256"]
        != one["config_sha256"]
    )


def test_a_mapping_in_the_place_of_a_key_is_no_yaml_of_ours(tmp_path: Path) -> None:
    (tmp_path / "kb.yaml").write_text("flow: index\nchunk: {{x}}\n")
    assert any(
        "not valid YAML" in one and "line 2" in one for one in mistakes(tmp_path / "kb.yaml")
    )


def test_the_shipped_configs_are_right() -> None:
    from llmops import configs

    assert check_all([configs.FOLDER]) == [
        str(configs.FOLDER / f"python-help{name}.yaml")
        for name in ("-app", "-feedback", "-finetune", "-prompts", "")
    ]


@pytest.mark.parametrize(
    "line",
    [
        "schedule: {cron: * * * * *, timezone: UTC}",
        "schedule: {cron: */5 * * * *}",
        "schedule:\n  cron: @daily # at night",
    ],
)
def test_a_cron_without_quotes_that_yaml_cannot_read_is_shown_in_quotes(
    tmp_path: Path, line: str
) -> None:
    file = write(tmp_path)
    file.write_text(f"{file.read_text()}{line}\n")
    cron = line.partition("cron: ")[2].partition(",")[0].partition(" #")[0].strip("}")
    assert any(f'write it in quotes: cron: "{cron}"' in each for each in mistakes(file))


@pytest.mark.parametrize("cron", ["0 3 * * *", "*/59 * * * *", "10-50/20 */12 1 */6 1-5/2"])
def test_steps_that_come_round_are_taken_and_quotes_are_not_needed_everywhere(
    tmp_path: Path, cron: str
) -> None:
    file = write(tmp_path)
    quoted = f'"{cron}"' if cron[0] == "*" else cron
    file.write_text(f"{file.read_text()}schedule: {{cron: {quoted}, timezone: UTC}}\n")
    schedule = read(file, IndexConfig).schedule
    assert schedule is not None
    assert schedule.cron == cron
