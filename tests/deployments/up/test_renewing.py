"""An application whose config changed is started anew, or goes on as it was."""

from pathlib import Path

import pytest

from llmops.deployments.up.renewing import AppRenewal

SERVE = "flow: serve\napp: desk\nknowledge_bases: [handbook]\n"


class Told(AppRenewal):
    """The renewal of `desk`, at the port 8400, and what it said and did."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "desk.yaml"
        self.said: list[str] = []
        self.renewed: list[str] = []
        files, ports = {self.file: "desk"}, {"app desk": 8400}
        super().__init__(folder / "home", files, ports, self.renewed.append, self.said.append)

    def write(self, text: str) -> None:
        self.file.write_text(text)
        self.changed(self.file)


@pytest.mark.slow
def test_one_that_would_start_is_started_anew(tmp_path: Path) -> None:
    told = Told(tmp_path)
    told.write(SERVE + "retrieve: {k: 3}\nport: 8500\n")
    assert told.renewed == ["app desk"]
    assert told.said[0] == "app desk gets the port 8500 when `llmops up` starts again"


@pytest.mark.slow
def test_one_whose_prompt_is_not_in_the_registry_goes_on(tmp_path: Path) -> None:
    told = Told(tmp_path)
    told.write(SERVE + 'prompt: "prompts:/nobody@champion"\n')
    assert told.renewed == []
    assert "nobody" in told.said[0]
    assert told.said[-1] == "app desk goes on as it was"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (SERVE + "retrive: {k: 3}\n", "did you mean retrieve"),
        (SERVE.replace("desk", "shop"), "it is called 'shop' now"),
        (SERVE + "prompt: missing.yaml\n", "missing.yaml"),
    ],
)
def test_one_that_is_wrong_goes_on_as_it_was(tmp_path: Path, text: str, says: str) -> None:
    told = Told(tmp_path)
    told.write(text)
    assert told.renewed == []
    assert says in " ".join(told.said)
    assert told.said[-1] == "app desk goes on as it was"


def test_a_file_that_is_no_application_s_is_the_affair_of_others(tmp_path: Path) -> None:
    told = Told(tmp_path)
    told.changed(tmp_path / "other.yaml")
    assert (told.said, told.renewed) == ([], [])
