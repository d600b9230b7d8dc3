"""What a training starts from: the weights of the default embedder, a folder, or a name in the
model hub.
"""

import hashlib
from pathlib import Path

from llmops.tasks.plugins import digest
from llmops.tasks.plugins.embedders.minilm import weights_folder

MINILM = "minilm"


def base_folder(base: str) -> str:
    """What sentence-transformers loads. Raises Unavailable where the weights of minilm are not
    installed.
    """
    return str(weights_folder()) if base == MINILM else base


def base_sha256(base: str) -> str:
    """Of the weights in a folder; another one of that path is another training. Empty for the
    default embedder, whose weights never change, and for names in the hub.
    """
    folder = Path(base)
    if base == MINILM or not folder.is_dir():
        return ""
    return digest(*(_sha256(path) for path in sorted(folder.rglob("*.safetensors"))))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
