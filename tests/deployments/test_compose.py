"""The compose file, as far as it can be judged without Docker."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops.tasks.plugins.stores.weaviate import GRPC, WeaviateStore

FILE = Path(__file__).parent.parent.parent / "deployments" / "compose.yaml"
SERVICES: dict[str, Any] = yaml.safe_load(FILE.read_text())["services"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_pinned_watched_restarted_and_closed_to_other_machines(name: str) -> None:
    service = SERVICES[name]
    assert re.search(r":\d+\.\d+\.\d+$|@sha256:[0-9a-f]{64}$", service["image"])
    assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert service["restart"] == "unless-stopped"
    assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", ()))


@pytest.mark.parametrize("name", SERVICES)
def test_every_named_volume_is_declared(name: str) -> None:
    declared = yaml.safe_load(FILE.read_text())["volumes"]
    used = [str(volume).partition(":")[0] for volume in SERVICES[name].get("volumes", ())]
    assert [one for one in used if not one.startswith((".", "/")) and one not in declared] == []


def test_secrets_come_from_the_environment_and_nothing_starts_without_them() -> None:
    settings = SERVICES["weaviate"]["environment"]
    assert settings["AUTHENTICATION_APIKEY_ALLOWED_KEYS"].startswith("${WEAVIATE_API_KEY:?")
    assert settings["AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED"] == "false"
    literal = [
        name
        for service in SERVICES.values()
        for name, value in service["environment"].items()
        if re.search(r"(KEYS?|PASSWORD|TOKEN|SECRET)$", name) and not str(value).startswith("${")
    ]
    assert literal == []


def test_weaviate_is_as_the_store_expects_it() -> None:
    service = SERVICES["weaviate"]
    version = tuple(map(int, service["image"].rpartition(":")[2].split(".")))
    assert version >= (1, 33, 0)
    settings = service["environment"]
    assert (settings["AUTOSCHEMA_ENABLED"], settings["API_BASED_MODULES_DISABLED"]) == (
        "false",
        "true",
    )
    assert int(settings["QUERY_MAXIMUM_RESULTS"]) >= 10_000
    ports = {str(port).rpartition(":")[2]: str(port) for port in service["ports"]}
    assert f":-{GRPC}" in ports[str(GRPC)]
    assert f":-{WeaviateStore().url.rpartition(':')[2]}" in ports["8080"]
    assert settings["PERSISTENCE_DATA_PATH"] in [
        volume.partition(":")[2] for volume in service["volumes"]
    ]
