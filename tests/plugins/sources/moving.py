"""What the tests of the source `dify` share."""

from pathlib import Path
from typing import Any

from llmops.tasks.plugins.sources.dify import DifySource
from tests.plugins.sources.dify_server import DifyServer


def dify(service: DifyServer, tmp_path: Path | None = None, **options: Any) -> DifySource:
    own = {
        "base_url": service.url,
        "dataset": service.dataset,
        "api_key": service.key,
        "backoff": 0.005,
        "max_wait": 0.01,
    } | options
    source = DifySource(**own)
    return source.remembering(tmp_path / "memory") if tmp_path else source
