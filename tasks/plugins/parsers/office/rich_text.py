"""Rich text (RTF 1.9.1) without what its reader turns into signs or blanks within words."""

import re
from typing import Final

UNDERLINE: Final = re.compile(rb"(?<!\\)\\ul(?=[a-z\d \\{}\r\n;-])")
GROUP_END: Final = re.compile(rb"(?<!\\)}(?=[A-Za-z0-9]|\\'|\\u\d)")
BINARY: Final = b"\\bin"


def plain_runs(data: bytes) -> bytes:
    """The same text without marks of underlining (its control words become one that no reader
    knows), and with an empty group where a letter follows a group: the reader would put a blank
    there. Files with binary data stay as they are: it would be cut at another place.
    """
    if BINARY in data:
        return data
    return GROUP_END.sub(rb"}{}", UNDERLINE.sub(rb"\\xul", data))
