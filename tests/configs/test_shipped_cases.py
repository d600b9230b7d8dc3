"""The cases that are shipped: those of the golden set with fuller answers, and questions that the
help topics do not answer.
"""

import json
from pydoc_data.topics import topics

from llmops import configs
from llmops.configs.evaluate import EvaluateConfig
from llmops.tasks.evaluation.cases import read_cases
from llmops.tasks.prompts.reading import read_prompt

CASES = read_cases(configs.FOLDER / "cases" / "python-help.jsonl").cases
GOLDEN = [
    json.loads(line)
    for line in (configs.FOLDER / "golden" / "python-help.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]
PROMPTS = ("python-help", "python-help-thorough", "python-help-brief")


def test_every_golden_question_is_a_case_with_its_topics() -> None:
    found = {case.id: case for case in CASES if "outside" not in case.tags}
    assert set(found) == {one["id"] for one in GOLDEN}
    for one in GOLDEN:
        case, uris = found[one["id"]], [relevant["uri"] for relevant in one["relevant"]]
        assert (case.inputs, case.expected["uris"], case.group) == (
            {"question": one["question"]},
            uris,
            uris[0],
        )
        assert set(uris) <= set(topics)
        assert len(case.expected["answer"].split()) >= 3


def test_the_others_have_no_answer_and_no_group() -> None:
    others = [case for case in CASES if "outside" in case.tags]
    assert len(others) == 30
    assert all(case.expected == {"answerable": False} and case.group is None for case in others)


def test_the_prompts_differ_in_what_they_ask_for_alone() -> None:
    prompts = [read_prompt(configs.FOLDER / "prompts" / f"{name}.yaml") for name in PROMPTS]
    assert {prompt.name for prompt in prompts} == {"python-help-demo"}
    assert len({prompt.sha256 for prompt in prompts}) == 3
    assert len({(prompt.names, str(prompt.model), prompt.messages[1]) for prompt in prompts}) == 1


def test_the_shipped_config_is_read_without_a_mistake() -> None:
    config = configs.read(configs.FOLDER / "python-help-prompts.yaml", EvaluateConfig)
    assert (config.baseline, config.arm_specs()["candidate"].prompt) == (
        "baseline",
        "prompts/python-help-brief.yaml",
    )
