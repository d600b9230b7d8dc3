"""Applications whose config changed while `up` runs: each is started anew where it would start, and
else goes on as it was.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from llmops.configs.reading import read
from llmops.configs.serve import ServeConfig
from llmops.deployments.up.registering import child
from llmops.tasks.errors import LlmopsError, Mistake

MODULE = "llmops.deployments.app.checking"


class AppRenewal:
    """`files`: the configs, with the name of the application that each one runs as; `part`: what
    its part is called; `ports`: where the parts listen; `renew`: starts a part anew.
    """

    def __init__(
        self,
        home: Path,
        files: Mapping[Path, str],
        ports: Mapping[str, int],
        renew: Callable[[str], None],
        tell: Callable[[str], None],
    ) -> None:
        self._home, self._files, self._ports = home, files, ports
        self._renew, self._tell = renew, tell

    def changed(self, file: Path) -> None:
        """Where the file is that of an application: say what becomes of it, and do it."""
        name = self._files.get(file)
        if name is None:
            return
        part = f"app {name}"
        if wrong := self._wrong(file, name):
            for mistake in wrong:
                self._tell(str(mistake))
            self._tell(f"{part} goes on as it was")
            return
        if (port := read(file, ServeConfig).port) != self._ports[part]:
            self._tell(f"{part} gets the port {port} when `llmops up` starts again")
        self._tell(f"{part} is started anew with its config as it is now")
        self._renew(part)

    def _wrong(self, file: Path, name: str) -> list[Mistake]:
        """Why the application would not start."""
        try:
            found = read(file, ServeConfig).app
            if found != name:
                hint = "start `llmops up` again"
                return [Mistake(f"it is called {found!r} now", where=file.name, hint=hint)]
            given = {"LLMOPS_HOME": str(self._home)}
            ended = child(f"app {name}", ["-m", MODULE, str(file)], given, file.parent)
            return [Mistake(**each) for each in json.loads(ended.stdout.splitlines()[-1])["wrong"]]
        except LlmopsError as error:
            return error.mistakes()
        except (ValueError, LookupError, TypeError) as error:
            return [Mistake(f"it could not be tried: {error!r}", where=file.name)]
