"""The compose file, as far as it can be judged without Docker."""

import importlib.resources
import json
import re
from typing import Any

import jsonschema
import pytest

from llmops.tasks.plugins.stores.weaviate import GRPC, WeaviateStore
from tests.deployments.containers import COMPOSE, FOLDER, SERVICES

OURS = {name for name, service in SERVICES.items() if "build" in service}


def test_the_file_is_valid_by_the_compose_specification() -> None:
    schemas = importlib.resources.files("check_jsonschema.builtin_schemas.vendor")
    schema = json.loads((schemas / "compose-spec.json").read_text())
    jsonschema.validate(COMPOSE, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(COMPOSE | {"services": {"worker": {"imagine": "x"}}}, schema)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_pinned_watched_restarted_and_closed_to_other_machines(name: str) -> None:
    service = SERVICES[name]
    assert re.search(r":\d+\.\d+(\.\d+)?(-alpine[\d.]+)?$|@sha256:[0-9a-f]{64}$", service["image"])
    assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert service["restart"] == "unless-stopped"
    assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", ()))


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_names_is_declared(name: str) -> None:
    service = SERVICES[name]
    mounted = [str(volume).partition(":")[0] for volume in service.get("volumes", ())]
    volumes = {place for place in mounted if not place.startswith((".", "/", "$"))}
    assert volumes <= set(COMPOSE["volumes"])
    assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])
    assert set(service.get("depends_on", ())) <= set(SERVICES)
    files = [place for place in mounted if place.startswith("./")]
    assert [place for place in files if not (FOLDER / place).exists()] == []


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_containers_are_locked_down(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"/tmp:size=\w+,mode=1777", *service["tmpfs"])
    assert (FOLDER.parent / service["build"]["context"].removeprefix("../")).is_dir()


def test_secrets_are_files_or_come_from_the_environment_and_nothing_starts_without_them() -> None:
    settings = SERVICES["weaviate"]["environment"]
    assert settings["AUTHENTICATION_APIKEY_ALLOWED_KEYS"].startswith("${WEAVIATE_API_KEY:?")
    assert settings["AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED"] == "false"
    literal = [
        name
        for service in SERVICES.values()
        for name, value in service["environment"].items()
        if re.search(r"(KEYS?|PASSWORD|TOKEN|SECRET|AUTH_STRING)$", name)
        and not str(value).startswith("${")
    ]
    assert literal == []
    addresses = [value for s in SERVICES.values() for value in s["environment"].values()]
    assert [text for text in addresses if re.search(r"://[^@/]*:[^@/]*@", str(text))] == []


def test_a_secret_of_a_service_is_the_one_that_its_environment_names() -> None:
    named = {
        name: {
            str(value).rpartition("/")[2]
            for value in service["environment"].values()
            if str(value).startswith("/run/secrets/")
        }
        for name, service in SERVICES.items()
    }
    assert named == {name: set(service.get("secrets", ())) for name, service in SERVICES.items()}


def test_worker_and_prefect_agree_on_key_project_and_pool() -> None:
    worker: dict[str, Any] = SERVICES["worker"]["environment"]
    server = SERVICES["prefect"]["environment"]
    assert worker["PREFECT_API_AUTH_STRING_FILE"] == server["PREFECT_SERVER_API_AUTH_STRING_FILE"]
    assert f"llmops-{worker['LLMOPS_PROJECT']}" in SERVICES["runner"]["command"]


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
