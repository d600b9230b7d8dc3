"""`/static`: style, script and pictures of the page, out of memory. Their addresses hold a hash of
all of them, so that browsers may keep them for good.
"""

import gzip
import mimetypes
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from fastapi import APIRouter, Request
from starlette.responses import Response

from llmops.deployments.app.problems import not_found

FOLDER = Path(__file__).parent / "static"
KINDS = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
FOR_GOOD = "public, max-age=31536000, immutable"
router = APIRouter(include_in_schema=False)


class Asset(NamedTuple):
    content: bytes
    packed: bytes
    kind: str


@cache
def assets() -> dict[str, Asset]:
    """By name. Only what lies there now is ever served: a name is no path."""
    found = {}
    for file in sorted(FOLDER.iterdir()):
        kind = KINDS.get(file.suffix) or mimetypes.guess_type(file.name)[0]
        content = file.read_bytes()
        packed = gzip.compress(content, mtime=0)
        found[file.name] = Asset(content, packed, kind or "application/octet-stream")
    return found


@cache
def digest() -> str:
    parts = [name.encode() + b"\0" + each.content for name, each in assets().items()]
    return sha256(b"\0".join(parts)).hexdigest()[:12]


def address(name: str) -> str:
    """Raises KeyError for a file that is not there."""
    assert assets()[name]
    return f"/static/{digest()}/{name}"


@router.get("/static/{version}/{name}")
async def asset(request: Request, version: str, name: str) -> Response:
    """A file; of another release's address only what is there now, and not to be kept."""
    found = assets().get(name)
    if found is None:
        raise not_found()
    packs = "gzip" in request.headers.get("accept-encoding", "")
    headers = {"vary": "accept-encoding"} | ({"content-encoding": "gzip"} if packs else {})
    if version == digest():
        headers["cache-control"] = FOR_GOOD
    body = found.packed if packs else found.content
    return Response(body, headers=headers, media_type=found.kind)
