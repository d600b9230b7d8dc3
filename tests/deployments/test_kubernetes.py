"""The manifests, by the published schemas of Kubernetes, and by what schemas cannot say."""

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from tests.deployments.containers import FOLDER, SERVICES
from tests.yaml_texts import yaml_of

K8S = FOLDER / "k8s"
KUSTOMIZATION: dict[str, Any] = yaml_of((K8S / "kustomization.yaml").read_text())
OBJECTS: list[dict[str, Any]] = [
    content
    for file in sorted(K8S.glob("*.yaml"))
    if file.name != "kustomization.yaml"
    for content in map(yaml_of, file.read_text().split("\n---\n"))
]
VERSIONS = ("1.32", "1.34", kubernetes_validate.latest_version())


def of(*kinds: str) -> dict[str, dict[str, Any]]:
    return {item["metadata"]["name"]: item for item in OBJECTS if item["kind"] in kinds}


PODS = {
    name: item["spec"]["template"]["spec"] for name, item in of("Deployment", "StatefulSet").items()
}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_valid_strictly(version: str) -> None:
    for item in OBJECTS:
        kubernetes_validate.validate(item, version, strict=True)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(
            OBJECTS[0] | {"spec": {"finalisers": []}}, version, strict=True
        )


def test_kustomization_names_every_file_once() -> None:
    files = sorted(file.name for file in K8S.glob("*.yaml") if file.name != "kustomization.yaml")
    assert sorted(KUSTOMIZATION["resources"]) == files


@pytest.mark.parametrize("name", PODS)
def test_every_pod_is_probed_bounded_and_allowed_nothing_more(name: str) -> None:
    pod = PODS[name]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    for container in pod["containers"]:
        assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container)
        assert container["resources"]["requests"].keys() >= {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        mounts = {mount["name"] for mount in container["volumeMounts"]}
        item = of("Deployment", "StatefulSet")[name]["spec"]
        claims = {claim["metadata"]["name"] for claim in item.get("volumeClaimTemplates", ())}
        assert mounts == claims | {volume["name"] for volume in pod["volumes"]}


def test_probes_and_services_meet_ports_and_pods_that_are_there() -> None:
    for name, service in of("Service").items():
        ports = {
            port["name"]: port["containerPort"]
            for container in PODS[service["spec"]["selector"]["app"]]["containers"]
            for port in container["ports"]
        }
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= set(ports), name
    for pod in PODS.values():
        for container in pod["containers"]:
            names = {port["name"] for port in container.get("ports", ())}
            probes = [value for key, value in container.items() if key.endswith("Probe")]
            assert {probe["httpGet"]["port"] for probe in probes if "httpGet" in probe} <= names


def test_nothing_is_reached_but_by_a_policy_that_names_it() -> None:
    policies = of("NetworkPolicy")
    closed = policies["nothing-by-default"]["spec"]
    assert closed == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for name, service in of("Service").items():
        (rule,) = policies[name]["spec"]["ingress"]
        assert [port["port"] for port in rule["ports"]] == [
            port["port"] for port in service["spec"]["ports"]
        ]
        callers = {who["podSelector"]["matchLabels"]["app"] for who in rule["from"]}
        assert callers <= set(PODS)


def test_secrets_are_references_alone() -> None:
    assert of("Secret") == {}
    for pod in PODS.values():
        for container in pod["containers"]:
            for variable in container.get("env", ()):
                secret = re.search(r"(KEYS?|PASSWORD|TOKEN|AUTH_STRING)$", variable["name"])
                assert not secret or "secretKeyRef" in variable["valueFrom"]
    texts = [file.read_text() for file in K8S.glob("*.yaml")]
    assert [text for text in texts if re.search(r"://[^@/\s]*:[^@/\s]*@", text)] == []


def test_config_maps_that_pods_name_are_there() -> None:
    named = set()
    for pod in PODS.values():
        named |= {volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume}
        named |= {
            source["configMapRef"]["name"]
            for container in pod["containers"]
            for source in container.get("envFrom", ())
        }
    assert named == set(of("ConfigMap"))


@pytest.mark.parametrize("name", PODS)
def test_the_same_programs_run_here_and_under_compose(name: str) -> None:
    service = SERVICES[name]
    (container,) = PODS[name]["containers"]
    assert container["args"] == service["command"]
    image = service["image"]
    ours = image.startswith("llmops-pipelines:")
    own = "llmops-project" if name in ("worker", "app", "alerts") else image.partition(":")[0]
    assert container["image"] == (own if ours else image)
    settings = of("ConfigMap")["settings"]["data"]
    given = {item["name"]: item.get("value") for item in container.get("env", ())}
    given |= settings if "envFrom" in container else {}
    for key, value in service["environment"].items():
        if key.endswith("_FILE") and str(value).startswith("/run/secrets/"):
            assert key.removesuffix("_FILE") in given
        elif "${" not in str(value):
            assert given[key] == value, key


def test_the_version_is_the_projects() -> None:
    project = (Path(FOLDER).parent / "pyproject.toml").read_text()
    version = re.search(r'^version = "(.+)"', project, re.MULTILINE)
    assert version
    images = {each["name"]: each["newTag"] for each in KUSTOMIZATION["images"]}
    assert images["llmops-pipelines"] == version[1]
    used = {pod["containers"][0]["image"] for pod in PODS.values()}
    assert {image for image in used if ":" not in image} == set(images)
    assert SERVICES["worker"]["image"] == f"llmops-pipelines:{version[1]}"


def test_databases_are_made_as_under_compose() -> None:
    script = of("ConfigMap")["postgres-init"]["data"]["databases.sh"]
    told = (FOLDER / "postgres-init.sh").read_text()
    commands = [line for line in told.splitlines() if not line.startswith("# ")]
    assert script.splitlines() == commands
