"""Which Prefect server the user names, as Prefect itself would find it, without importing Prefect:
the environment, `.env`, `prefect.toml`, `[tool.prefect]` of `pyproject.toml`, the active profile.
Each setting by itself, the first place that says anything wins; an empty value means none.
"""

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from llmops.configs.settings import env_lines
from llmops.tasks.errors import UsageError, did_you_mean

OWN = "LLMOPS_OWN_PREFECT_API_URL"
"""Set beside PREFECT_API_URL where that is a home's own server: nobody has named it."""
CLOUD = "https://api.prefect.cloud/api"
SETTINGS = {
    "PREFECT_API_URL": ("api", "url"),
    "PREFECT_API_KEY": ("api", "key"),
    "PREFECT_API_AUTH_STRING": ("api", "auth_string"),
    "PREFECT_API_SSL_CERT_FILE": ("api", "ssl_cert_file"),
    "PREFECT_API_TLS_INSECURE_SKIP_VERIFY": ("api", "tls_insecure_skip_verify"),
    "PREFECT_CLIENT_CUSTOM_HEADERS": ("client", "custom_headers"),
    "PREFECT_UI_URL": ("ui_url",),
}
SHIPPED = ("ephemeral", "local", "test", "cloud")  # profiles that Prefect knows without a file


class StatedSetting(NamedTuple):
    """A setting, and where it stands: `PREFECT_API_URL in .env`."""

    value: str
    source: str


@dataclass(frozen=True)
class NamedServer:
    """A server that the user names: every setting of it that stands somewhere, by its variable."""

    settings: tuple[tuple[str, StatedSetting], ...] = field(repr=False)

    @property
    def url(self) -> str:
        return self.value("PREFECT_API_URL").strip().rstrip("/")

    @property
    def address(self) -> str:
        """The same without a login: it may be shown, and asked with `headers`."""
        return discreet(self.url)

    @property
    def source(self) -> str:
        """Where the address stands."""
        return self.stands("PREFECT_API_URL")

    @property
    def ui(self) -> str:
        return (self.value("PREFECT_UI_URL") or _ui(self.address)).rstrip("/")

    @property
    def cloud(self) -> bool:
        return self.url.startswith(CLOUD)

    @property
    def environment(self) -> dict[str, str]:
        """The same settings for a process elsewhere, keys included."""
        return {variable: said.value for variable, said in self.settings}

    def value(self, variable: str) -> str:
        """Empty where nothing is said."""
        return self.environment.get(variable, "")

    def stands(self, variable: str) -> str:
        """Where a setting stands, such as `PREFECT_API_KEY in .env`; empty for nowhere."""
        return next((said.source for name, said in self.settings if name == variable), "")

    def headers(self) -> dict[str, str]:
        """What goes with every request. Raises UsageError for headers that are no JSON object."""
        from base64 import b64encode

        headers = {"Content-Type": "application/json", **self._custom()}
        login = re.search(r"(?<=://)[^/@]*(?=@)", self.url)
        if login:  # before what settings say, as in Prefect's client
            text = unquote(login[0])
            headers["Authorization"] = f"Basic {b64encode(text.encode()).decode()}"
        elif text := self.value("PREFECT_API_AUTH_STRING"):  # Prefect prefers it
            headers["Authorization"] = f"Basic {b64encode(text.encode()).decode()}"
        elif key := self.value("PREFECT_API_KEY"):
            headers["Authorization"] = f"Bearer {key}"
        return headers

    def _custom(self) -> dict[str, str]:
        try:
            given = json.loads(self.value("PREFECT_CLIENT_CUSTOM_HEADERS") or "{}")
            return {str(name): str(value) for name, value in given.items()}
        except (ValueError, AttributeError) as error:
            raise UsageError(
                'a JSON object of headers is wanted, such as {"X-Team": "search"}; what was got '
                "is not shown",
                where=self.stands("PREFECT_CLIENT_CUSTOM_HEADERS"),
                hint="correct it, or unset it",
            ) from error


def discreet(text: str) -> str:
    """A text whose addresses are without their logins."""
    return re.sub(r"(?<=://)[^/@\s]*@", "", text)


def named() -> NamedServer | None:
    """The server that the user names; None where a home's own is meant.

    Raises UsageError for files that Prefect could not read, a profile that does not exist, and an
    address that is none.
    """
    said = _said("PREFECT_API_URL")
    if said is None or not said.value.strip() or said.value == os.environ.get(OWN):
        return None
    if not re.match(r"https?://[^/\s]+", said.value.strip()):
        raise UsageError(
            f"got {said.value.rpartition('@')[2]!r}, wanted the address of a Prefect API, as in "
            "http://prefect.example.com:4200/api",
            where=said.source,
            hint="correct it, or leave it empty to use the home's own server",
        )
    known = ((variable, _said(variable)) for variable in SETTINGS)
    return NamedServer(tuple((variable, said) for variable, said in known if said and said.value))


def _said(variable: str) -> StatedSetting | None:
    for source, settings in _places():
        path = (variable,) if source.variables else SETTINGS[variable]
        value = _at(settings, path)
        if value is not None:
            return StatedSetting(value, source.of(variable))
    return None


class SettingsPlace(NamedTuple):
    """A place of settings. `variables`: it calls them by the names of variables."""

    name: str
    variables: bool

    def of(self, variable: str) -> str:
        if not self.variables:
            return f"{'.'.join(SETTINGS[variable])} in {self.name}"
        return f"{variable} in {self.name}" if self.name else variable


def _places() -> Iterator[tuple[SettingsPlace, Mapping[str, object]]]:
    """In Prefect's order."""
    env = {name.upper(): value for name, value in env_lines(Path()).items()}
    here = {name.upper(): value for name, value in os.environ.items()}
    # what `.env` says is in the environment by now
    merged = {name: value for name, value in here.items() if env.get(name) == value}
    yield SettingsPlace(".env", True), merged
    yield SettingsPlace("", True), here
    yield SettingsPlace(".env", True), env
    yield SettingsPlace("prefect.toml", False), _toml(Path("prefect.toml"))
    pyproject = _toml(Path("pyproject.toml"))
    yield (
        SettingsPlace("pyproject.toml, [tool.prefect]", False),
        _below(pyproject, "tool", "prefect"),
    )
    name, settings = _profile()
    yield SettingsPlace(name, True), settings


def _profile() -> tuple[str, Mapping[str, object]]:
    """The active profile: what it is called for users, and its settings."""
    file = _profiles_path()
    content = _toml(file)
    profiles = _below(content, "profiles")
    chosen = os.environ.get("PREFECT_PROFILE")
    active = chosen or content.get("active")
    if not isinstance(active, str) or not active:
        return "", {}
    if chosen and chosen not in profiles and chosen not in SHIPPED:
        known = sorted({*profiles, *SHIPPED})
        raise UsageError(
            f"got {chosen!r}, {file} has no such profile; it knows {', '.join(known)}",
            where="PREFECT_PROFILE",
            hint=did_you_mean(chosen, known) or "`prefect profile ls` lists them",
        )
    return f"the profile {active!r} of {file}", _below(profiles, active)


def _profiles_path() -> Path:
    given = (
        os.environ.get("PREFECT_PROFILES_PATH")
        or env_lines(Path()).get("PREFECT_PROFILES_PATH")
        or _at(_toml(Path("prefect.toml")), ("profiles_path",))
        or _at(_toml(Path("pyproject.toml")), ("tool", "prefect", "profiles_path"))
    )
    if given:
        return Path(given)
    folder = os.environ.get("PREFECT_HOME")
    return (Path(folder) if folder else Path.home() / ".prefect") / "profiles.toml"


def _toml(file: Path) -> Mapping[str, object]:
    """Empty where there is no such file. Raises UsageError where it is not TOML."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(
            f"Prefect's settings cannot be read: {error}",
            where=str(file),
            hint="correct the file, or remove it",
        ) from error


def _below(content: Mapping[str, object], *keys: str) -> Mapping[str, object]:
    for key in keys:
        inner = content.get(key)
        content = inner if isinstance(inner, Mapping) else {}
    return content


def _at(content: Mapping[str, object], path: tuple[str, ...]) -> str | None:
    *above, last = path
    value = _below(content, *above).get(last)
    if value is None:
        return None
    return json.dumps(value) if isinstance(value, dict | bool) else str(value)


def _ui(url: str) -> str:
    """Where the pages of an API are, by Prefect's own rule."""
    pages = url.rstrip("/").replace(CLOUD, "https://app.prefect.cloud")
    pages = pages.removesuffix("/api").replace("/api/", "/")
    return pages.replace("/accounts/", "/account/").replace("/workspaces/", "/workspace/")
