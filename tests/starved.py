"""Runs a command where no file may grow beyond some bytes:  python -m tests.starved BYTES index
kb.yaml
"""

import resource
import sys
from pathlib import Path


def main() -> None:
    sys.path.insert(0, str(Path(__file__).parent / "plugin_package"))
    limit = int(sys.argv.pop(1))
    from llmops.flows import cli

    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    cli.main()


if __name__ == "__main__":
    main()
