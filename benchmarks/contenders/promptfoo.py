"""promptfoo from npm, into a folder: `python -m benchmarks.contenders.promptfoo FOLDER PACKAGE`.

Where npm has not ended in time (parts of promptfoo are compiled where no built ones are found), or
fails, `promptfoo.txt` in the folder says so, and the page repeats it.
"""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

SECONDS, REASON = 300, "promptfoo.txt"
QUIET = ("--silent", "--no-fund", "--no-audit", "--omit=optional")


def install(folder: Path, package: str, npm: str = "npm", seconds: float = SECONDS) -> str:
    """Why it is not there; nothing where it is."""
    found = shutil.which(npm)
    if found is None:
        return "there is no npm here"
    order = [found, "install", *QUIET, "--prefix", str(folder), package]
    process = subprocess.Popen(
        order,
        env=own_headers(found) | os.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        return f"npm had not installed {package} after {seconds:g} s"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return f"npm could not install {package}: it ended with {code}" if code else ""


def own_headers(npm: str) -> dict[str, str]:
    """The headers of the installed Node.js, where they lie beside it: node-gyp, which compiles
    SQLite, otherwise downloads them from a host that not every network lets through.
    """
    place = Path(npm).parent.parent
    there = (place / "include" / "node" / "node.h").exists()
    return {"npm_config_nodedir": str(place)} if there else {}


def why_absent(folder: Path) -> str:
    """What is known of why it is not in the folder."""
    file = folder / REASON
    return file.read_text(encoding="utf-8") if file.exists() else "it is not installed: make bench"


def main(folder: str, package: str) -> None:
    why = install(Path(folder), package)
    if not why:
        (Path(folder) / REASON).unlink(missing_ok=True)
        return
    (Path(folder) / REASON).write_text(why, encoding="utf-8")
    shutil.rmtree(Path(folder) / "node_modules", ignore_errors=True)
    sys.stdout.write(f"promptfoo is skipped: {why}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
