"""A part for tests: it has a process of its own, and writes a note when it is ended by SIGTERM."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

if __name__ == "__main__":
    child = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True
    )

    def note(_number: int, _frame: FrameType | None) -> None:
        Path(sys.argv[1]).touch()
        child.kill()
        sys.exit(0)

    signal.signal(signal.SIGTERM, note)
    time.sleep(60)
