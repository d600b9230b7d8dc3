import struct

import pytest

from llmops.deployments.plugin_package.templates.parsers import ExampleParser
from llmops.tasks.errors import DocumentError

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 640, 480)


def test_the_size_is_read() -> None:
    parsed = ExampleParser().parse(PNG, "image/png")
    assert parsed.text == "An image of 640 × 480 pixels."
    assert parsed.metadata["width"] == 640


def test_a_broken_image_goes_to_quarantine() -> None:
    with pytest.raises(DocumentError, match="breaks off"):
        ExampleParser().parse(PNG[:12], "image/png")
