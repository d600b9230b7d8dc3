"""Which Prefect server a user names: as Prefect itself finds it, place by place."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from llmops.flows.server.which import OWN, named
from llmops.tasks.errors import UsageError
from tests import forks

A, B = "http://a.example:4200/api", "http://b.example:4200/api"
PROFILES = f"""
active = "team"
[profiles.team]
PREFECT_API_URL = "{A}"
PREFECT_API_KEY = "of the profile"
[profiles.other]
PREFECT_API_URL = "{B}"
[profiles.cloud]
PREFECT_API_URL = "https://api.prefect.cloud/api/accounts/1/workspaces/2"
[profiles.ephemeral]
PREFECT_SERVER_ALLOW_EPHEMERAL_MODE = "true"
[profiles.local]
"""
PREFECT_TOML = f'[api]\nurl = "{B}"\nkey = "of prefect.toml"\n'
PYPROJECT = f'[tool.prefect.api]\nurl = "{B}"\nauth_string = "of:pyproject"\n'
Case = tuple[dict[str, str], dict[str, str], str | None, str]
CASES: dict[str, Case] = {
    # environment, files, address, where it stands
    "nothing": ({}, {}, None, ""),
    "environment": ({"PREFECT_API_URL": A}, {}, A, "PREFECT_API_URL"),
    "lower case": ({"prefect_api_url": A}, {}, A, "PREFECT_API_URL"),
    "with a key": (
        {"PREFECT_API_URL": A, "PREFECT_API_KEY": "k", "PREFECT_API_AUTH_STRING": "a:b"},
        {},
        A,
        "PREFECT_API_URL",
    ),
    ".env": ({}, {".env": f"PREFECT_API_URL={A}\n"}, A, "PREFECT_API_URL in .env"),
    "environment before .env": (
        {"PREFECT_API_URL": A},
        {".env": f"PREFECT_API_URL={B}\n"},
        A,
        "PREFECT_API_URL",
    ),
    "prefect.toml": ({}, {"prefect.toml": PREFECT_TOML}, B, "api.url in prefect.toml"),
    "pyproject.toml": (
        {},
        {"pyproject.toml": PYPROJECT},
        B,
        "api.url in pyproject.toml, [tool.prefect]",
    ),
    "pyproject.toml without a word on it": ({}, {"pyproject.toml": "[project]\n"}, None, ""),
    "profile": (
        {},
        {"home/profiles.toml": PROFILES},
        A,
        "PREFECT_API_URL in the profile 'team' of",
    ),
    "another profile": (
        {"PREFECT_PROFILE": "other"},
        {"home/profiles.toml": PROFILES},
        B,
        "PREFECT_API_URL in the profile 'other' of",
    ),
    "cloud": (
        {"PREFECT_PROFILE": "cloud"},
        {"home/profiles.toml": PROFILES},
        "https://api.prefect.cloud/api/accounts/1/workspaces/2",
        "PREFECT_API_URL in the profile 'cloud' of",
    ),
    "an ephemeral profile": (
        {"PREFECT_PROFILE": "ephemeral"},
        {"home/profiles.toml": PROFILES},
        None,
        "",
    ),
    "a local profile without an address": (
        {"PREFECT_PROFILE": "local"},
        {"home/profiles.toml": PROFILES},
        None,
        "",
    ),
    "a profile that Prefect ships": ({"PREFECT_PROFILE": "local"}, {}, None, ""),
    "profiles elsewhere": (
        {"PREFECT_PROFILES_PATH": "profiles.toml"},
        {"profiles.toml": PROFILES},
        A,
        "PREFECT_API_URL in the profile 'team' of profiles.toml",
    ),
    "profiles elsewhere, by prefect.toml": (
        {},
        {"prefect.toml": 'profiles_path = "p.toml"', "p.toml": PROFILES},
        A,
        "PREFECT_API_URL in the profile 'team' of p.toml",
    ),
    "the address here, the key there": (
        {"PREFECT_API_URL": B},
        {"home/profiles.toml": PROFILES, "prefect.toml": PREFECT_TOML},
        B,
        "PREFECT_API_URL",
    ),
    "an empty word switches a profile off": (
        {"PREFECT_API_URL": ""},
        {"home/profiles.toml": PROFILES},
        None,
        "",
    ),
    "pages elsewhere": (
        {"PREFECT_API_URL": A, "PREFECT_UI_URL": "https://pages.example/prefect"},
        {},
        A,
        "PREFECT_API_URL",
    ),
}
PREFECT = """
import json, os, sys
from pathlib import Path
from prefect.settings import Settings
cases = json.loads(Path(sys.argv[1]).read_text())
base, answers = dict(os.environ), {}
for name, (environment, place) in cases.items():
    os.environ.clear()
    os.environ.update(base | environment | {"PREFECT_HOME": place + "/home"})
    os.chdir(place)
    found = Settings()
    secret = lambda value: value.get_secret_value() if value else ""
    answers[name] = [
        found.api.url or None, secret(found.api.key), secret(found.api.auth_string), found.ui_url
    ]
print(json.dumps(answers))
"""


def prepared(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.upper().startswith("PREFECT_") or name == OWN]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("case", CASES)
def test_the_address_and_where_it_stands(
    folder: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    environment, files, url, source = CASES[case]
    prepared(folder, files)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = named()
    assert (found.url if found else None) == url
    assert (found.source if found else "").startswith(source)


def test_finding_a_server_imports_no_prefect(folder: Path) -> None:
    code = (
        "import sys\nfrom llmops.flows.server import named\n"
        "print(named().url, [name for name in sys.modules if name.split('.')[0] == 'prefect'])"
    )
    prepared(folder, {"home/profiles.toml": PROFILES})
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == (f"{A} []\n", "")


@pytest.mark.slow
def test_prefect_itself_finds_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = {
        name: str(prepared(folder / str(number), CASES[name][1]))
        for number, name in enumerate(CASES)
    }
    for place in places.values():
        Path(place).mkdir(exist_ok=True)
    given = {name: (CASES[name][0], place) for name, place in places.items()}
    (folder / "cases.json").write_text(json.dumps(given))
    done = forks.start("-c", PREFECT, folder / "cases.json", cwd=folder).communicate(timeout=120)
    theirs = json.loads(done[0].splitlines()[-1])
    for name, (environment, place) in given.items():
        with monkeypatch.context() as patch:
            patch.chdir(place)
            patch.setenv("PREFECT_HOME", f"{place}/home")
            for variable, value in environment.items():
                patch.setenv(variable, value)
            ours = named()
        url, key, auth_string, ui = theirs[name]
        assert (ours.url if ours else None) == url, name
        if ours:
            assert ours.value("PREFECT_API_KEY") == key, name
            assert ours.value("PREFECT_API_AUTH_STRING") == auth_string, name
            assert ours.ui == ui, name


@pytest.mark.parametrize(
    ("environment", "files", "where", "message"),
    [
        (
            {"PREFECT_API_URL": "prefect.example:4200/api"},
            {},
            "PREFECT_API_URL",
            "wanted the address of a Prefect API",
        ),
        ({"PREFECT_PROFILE": "tean"}, {"home/profiles.toml": PROFILES}, "PREFECT_PROFILE", "team"),
        ({}, {"prefect.toml": "api.url ="}, "prefect.toml", "cannot be read"),
        ({}, {"home/profiles.toml": "active = "}, "profiles.toml", "cannot be read"),
    ],
)
def test_mistakes_name_the_variable_or_the_file(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    files: dict[str, str],
    where: str,
    message: str,
) -> None:
    prepared(folder, files)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError) as caught:
        named()
    assert caught.value.where.endswith(where)
    assert message in str(caught.value)
    assert caught.value.hint


def test_keys_show_nowhere_and_wrong_headers_are_not_quoted(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", A)
    monkeypatch.setenv("PREFECT_API_KEY", "s3cret")
    monkeypatch.setenv("PREFECT_CLIENT_CUSTOM_HEADERS", '{"X-Team": "s3cret too"}')
    found = named()
    assert found
    assert "s3cret" not in repr(found)
    assert found.headers() == {
        "Content-Type": "application/json",
        "X-Team": "s3cret too",
        "Authorization": "Bearer s3cret",
    }
    monkeypatch.setenv("PREFECT_CLIENT_CUSTOM_HEADERS", "X-Team: s3cret")
    found = named()
    assert found
    with pytest.raises(UsageError) as caught:
        found.headers()
    assert "s3cret" not in str(caught.value)
    assert caught.value.where == "PREFECT_CLIENT_CUSTOM_HEADERS"


def test_a_home_s_own_server_is_named_by_nobody(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", A)
    monkeypatch.setenv(OWN, A)
    assert named() is None
    monkeypatch.setenv("PREFECT_API_URL", B)
    assert named()


def test_a_login_in_the_address_is_sent_and_not_shown(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "https://ann:p%40ss@prefect.example/api")
    monkeypatch.setenv("PREFECT_API_KEY", "another")
    found = named()
    assert found
    assert (found.address, found.ui) == (
        "https://prefect.example/api",
        "https://prefect.example",
    )
    assert found.headers()["Authorization"] == "Basic YW5uOnBAc3M="
    monkeypatch.setenv("PREFECT_API_URL", "ftp://ann:s3cret@prefect.example/api")
    with pytest.raises(UsageError) as caught:
        named()
    assert "s3cret" not in str(caught.value)
