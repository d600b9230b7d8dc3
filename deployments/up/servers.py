"""Which Prefect server and which MLflow server an `up` works with, before anything is started."""

import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from llmops.deployments.prefect_api import PrefectApi
from llmops.flows import server
from llmops.tasks.errors import Unavailable
from llmops.tasks.tracking import pages, place_of, without_login
from llmops.tasks.tracking.store import artifact_root


@dataclass(frozen=True)
class Chosen:
    """`url`: of the API; `ui`: of the pages; `source`: where the user names it; empty for the
    home's own.
    """

    url: str
    ui: str
    source: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def yours(self) -> bool:
        return bool(self.source)

    def answers(self) -> bool:
        """Whether a user's server is there; also one that refuses is."""
        if not self.url.startswith(("http://", "https://")):
            return True  # a database: there is nobody to ask
        request = urllib.request.Request(
            f"{self.url.rstrip('/')}/health", headers=dict(self.headers)
        )
        try:
            with opener(self.url).open(request, timeout=5) as response:
                return bool(response.status < 500)
        except urllib.error.HTTPError as error:
            with error:
                return error.code < 500
        except (OSError, HTTPException, ValueError):  # also what answers, but not with HTTP
            return False


@dataclass(frozen=True)
class Servers:
    """Both servers. `settings`: the environment of a process that talks to the Prefect server."""

    prefect: Chosen
    mlflow: Chosen
    settings: Mapping[str, str]

    @property
    def artifacts(self) -> str:
        return artifact_root(self.mlflow.url) or ""

    @property
    def api(self) -> PrefectApi:
        return PrefectApi(self.prefect.url, self.prefect.headers)

    def environment(self) -> dict[str, str]:
        """Of a process that runs flows: Prefect's settings, and where links to MLflow go."""
        links = {} if self.mlflow.yours else {"LLMOPS_MLFLOW_URL": self.mlflow.ui}
        return {**self.settings, **links}


def home_servers(home: Path, ports: Mapping[str, int]) -> Servers:
    """The servers that the environment names, else those of the home at `ports`. Raises Unavailable
    or UsageError, naming the setting, for a user's server that cannot be used.
    """
    mlflow = _mlflow(home, ports)
    if mlflow.yours and not mlflow.answers():
        raise Unavailable(
            f"MLflow does not answer at {without_login(mlflow.url)}",
            where=mlflow.source,
            hint="start it, correct the address, or leave it empty to use the home's own store",
        )
    theirs = server.named()
    if theirs is None:
        origin = f"http://127.0.0.1:{ports['prefect']}"
        own = server.Server(f"{origin}/api", origin, 0)
        settings = server.client_settings(home, own)
        return Servers(Chosen(own.url, own.ui), mlflow, settings)
    there = server.reached(theirs)
    chosen = Chosen(theirs.address, there.ui, theirs.source, tuple(theirs.headers().items()))
    return Servers(chosen, mlflow, server.client_settings(home, there))


def _mlflow(home: Path, ports: Mapping[str, int]) -> Chosen:
    return mlflow_of(home, f"http://127.0.0.1:{ports['mlflow']}")


def mlflow_of(home: Path, own: str) -> Chosen:
    """The MLflow that the environment names, else the home's, whose pages are at `own`."""
    place = place_of(home)
    if place.own:
        return Chosen(place.uri, own)
    served = place.uri.startswith(("http://", "https://"))
    return Chosen(place.uri, pages(place.uri) if served else "", place.source)


def opener(url: str) -> urllib.request.OpenerDirector:
    """Proxies are for other machines."""
    local = any(f"//{host}" in url for host in ("127.0.0.1", "localhost", "[::1]"))
    return urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if local else []))
