"""What figures depend on beside the code: the machine and the versions. No paths, no host names."""

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

import psutil

from benchmarks.report.processes import peers_python

OURS = ("llmops-pipelines", "lancedb", "prefect", "mlflow", "great-expectations", "onnxruntime")
PEERS = (
    "llama-index-core",
    "llama-index-vector-stores-lancedb",
    "langchain-core",
    "langchain-classic",
    "langchain-community",
    "langchain-text-splitters",
    "cocoindex",
    "chonkie",
    "fastembed",
    "llama-index-embeddings-huggingface",
    "sentence-transformers",
    "torch",
)
ASK = """
import json, sys
from importlib.metadata import PackageNotFoundError, version
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = version(name)
    except PackageNotFoundError:
        found[name] = "absent"
print(json.dumps(found))
"""


def machine() -> dict[str, str]:
    memory = psutil.virtual_memory().total / 2**30
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.0f} GB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "load before": f"{os.getloadavg()[0]:.1f}",
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
            names = [line.partition(":")[2].strip() for line in file if "model name" in line]
    except FileNotFoundError:  # not Linux
        names = []
    return names[0] if names else platform.machine()


def versions(more: Sequence[str] = ()) -> dict[str, str]:
    """Of ours here and of the peers where they are installed; `absent` where not."""
    command = [peers_python(), "-c", ASK, *PEERS, *more]
    found: dict[str, str] = json.loads(subprocess.check_output(command, text=True))
    return {name: _version(name) for name in OURS} | found


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
