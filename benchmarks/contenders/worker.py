"""The side of a process that works when it is asked: a word comes in on a line, a JSON object goes
out on one.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping


def serve(works: Mapping[str, Callable[[], Mapping[str, float]]]) -> None:
    """Until the input ends. What libraries print goes to standard error."""
    with os.fdopen(os.dup(1), "w") as out:
        os.dup2(2, 1)
        out.write('{"ready": 1}\n')
        out.flush()
        for line in sys.stdin:
            out.write(json.dumps(works[line.strip()]()) + "\n")
            out.flush()
