"""`llmops up` from its first line to its last."""

import shutil
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from llmops.deployments.project import Project
from llmops.deployments.up import record
from llmops.deployments.up.cancelling import cancel_runs
from llmops.deployments.up.gone import GoneRuns
from llmops.deployments.up.keeper import RestartPolicy, UpPart
from llmops.deployments.up.logs import Logs
from llmops.deployments.up.parts import (
    MLFLOW,
    PORTS,
    PREFECT,
    WORKER,
    app_ports,
    apps_of,
    parts_of,
)
from llmops.deployments.up.ports import choose as choose_ports
from llmops.deployments.up.ports import elsewhere
from llmops.deployments.up.processes import MARK, end_marked, flow_runs
from llmops.deployments.up.record import PartRecord, UpRecord
from llmops.deployments.up.registering import register
from llmops.deployments.up.renewing import AppRenewal
from llmops.deployments.up.servers import Servers, home_servers
from llmops.deployments.up.supervisor import Signals, Supervisor
from llmops.deployments.up.watching import EVERY_SECONDS, Watch, configs_seen
from llmops.flows import server
from llmops.tasks.errors import ConfigError, LlmopsError, Mistake, Unavailable, UsageError
from llmops.tasks.tracking import own_port

LEAST_FREE = 50_000_000
ENDING = "ending runs, worker and servers in order; Ctrl-C again ends them at once"
Shown = Callable[[PartRecord, UpPart], None]


def up(
    project: Project,
    shown: Shown,
    *,
    port_base: int | None = None,
    log_shown: bool = True,
    policy: RestartPolicy | None = None,
) -> bool:
    """Run until a signal. Returns whether everything ended in order.

    Raises ConfigError with the mistakes of all configs, Blocked where an `up` runs for this home,
    UsageError for a port that is taken, Unavailable for a server that cannot be used and for a part
    that does not come up.
    """
    project.configs()
    signals = Signals()
    with signals.listening(), record.only_one(project.home) as last:
        check_space(project.home)
        logs = Logs(project.home / "logs", shown=log_shown)
        try:
            return Up(project, shown, port_base, last, logs).run(signals, policy)
        finally:
            logs.flush()


def check_space(home: Path) -> None:
    """Databases that cannot grow fail in many places, with many words. Raises Unavailable."""
    free = shutil.disk_usage(home).free
    if free < LEAST_FREE:
        raise Unavailable(
            f"only {free / 1e6:.0f} MB are free on the disk of the home, at least "
            f"{LEAST_FREE / 1e6:.0f} are wanted",
            where=str(home),
            hint="free some space, or set LLMOPS_HOME elsewhere",
        )


class Up:
    """One `up` of a project."""

    def __init__(
        self,
        project: Project,
        shown: Shown,
        port_base: int | None,
        last: UpRecord | None,
        logs: Logs,
    ) -> None:
        self.project, self.shown, self.logs = project, shown, logs
        self.mark, self.me = uuid.uuid4().hex, record.myself()
        self.started_at = datetime.now(UTC).isoformat(timespec="seconds")
        there = server.find(project.home)
        apps = app_ports(project)
        self._app_files = {project.folder / app.file: app.name for app in apps_of(project)}
        self.renewal: AppRenewal | None = None
        wanted = [name for name in (*PORTS, *apps) if not (there and name == PREFECT)]
        before = {**(last.ports if last else {}), MLFLOW: own_port(project.home)}
        self.ports = choose_ports(wanted, port_base, {**before, **apps})
        self._elsewhere = [] if port_base else elsewhere(apps, self.ports)
        if there:  # a command has started it: runs may be going on there
            self.ports[PREFECT] = int(there.ui.rsplit(":", 1)[1])
        self.servers: Servers = home_servers(project.home, self.ports)
        self._registered, self._told_disk = False, False
        self._registering = threading.Lock()
        self._wrong: list[Mistake] = []
        self.signals = Signals()

    def run(self, signals: Signals, policy: RestartPolicy | None) -> bool:
        self.signals = signals
        supervisor = Supervisor(
            parts_of(self.project, self.servers, self.ports, self.before_worker),
            self.mark,
            self.logs,
            policy=policy,
            shown=self.shown,
            changed=self.changed,
            cancel=self.cancel,
            ending=lambda: self.tell(ENDING),
        )
        self.renewal = AppRenewal(
            self.project.home, self._app_files, self.ports, supervisor.renew, self.tell
        )
        self.changed(supervisor.records())
        for line in self._elsewhere:
            self.tell(line)
        watch = Watch(
            lambda: configs_seen(self.project.folder, self.project.home),
            self.configs_changed,
            EVERY_SECONDS,
        )
        gone = GoneRuns(self.servers.api, self.project.tags, self.project.home, self.tell)
        watch.start()
        gone.start()
        try:
            return supervisor.run(signals)
        finally:
            gone.stop()
            watch.stop()

    def tell(self, text: str) -> None:
        self.logs.tell("up", text)

    def cancel(self, seconds: float, at_once: threading.Event) -> None:
        """End the flow runs that the worker has started."""
        cancel_runs(
            self.servers.api,
            self.project.tags,
            seconds,
            at_once,
            lambda: end_marked(self.mark, WORKER),
            self.tell,
            (lambda: flow_runs(self.mark)) if self.servers.prefect.yours else None,
        )

    def before_worker(self) -> None:
        """Once, the schedules; each time, the runs that nobody works on any more. Raises
        ConfigError for mistakes that no other try mends, before the first registration;
        LlmopsError for all else.
        """
        steps = ("catch-up",) if self._registered else ("deploy", "catch-up")
        wrong = self.register(*steps)
        mistaken = {each.kind for each in wrong} <= {ConfigError.kind, UsageError.kind}
        if wrong and mistaken and not self._registered:
            raise ConfigError(wrong)
        self._tell_of(wrong)
        if wrong:
            raise LlmopsError("what is scheduled is not registered yet")
        self._registered = True

    def _tell_of(self, wrong: list[Mistake]) -> None:
        """What the end of `up` has cut short is no mistake."""
        for mistake in wrong if not self.signals.first.is_set() else ():
            self.tell(str(mistake))

    def register(self, *steps: str) -> list[Mistake]:
        home, folder = self.project.home, self.project.folder
        given = {**self.servers.environment(), MARK: self.mark}  # so that it ends with `up`
        with self._registering:
            return register(folder, home, given, self.tell, *steps)

    def configs_changed(self, changed: list[str], undone: list[str]) -> bool:
        """Register again what is scheduled, and say what cannot be taken up while running;
        `undone`: all that is to be taken up, `changed`: what is not tried again. Returns whether it
        went through.
        """
        env = str(self.project.folder / ".env")
        if env in changed:
            self.tell(".env has changed: `llmops up` reads it when it is started again")
        if undone == [env]:
            return True
        if configs := [Path(file) for file in changed if file != env]:
            names = ", ".join(str(file.relative_to(self.project.folder)) for file in configs)
            self.tell(f"changed: {names}")
        for file in configs:
            if self.renewal is not None:
                self.renewal.changed(file)
        wrong = self.register("deploy")
        if wrong and (changed or wrong != self._wrong):
            self._tell_of(wrong)
            self.tell("what has changed is not registered: it is tried again until it is")
        self._wrong = wrong
        return not wrong

    def changed(self, parts: tuple[PartRecord, ...]) -> None:
        """Write down what runs, for `llmops status`."""
        written = UpRecord(
            pid=self.me.pid,
            created=self.me.created,
            mark=self.mark,
            project=self.project.name,
            folder=str(self.project.folder),
            started_at=self.started_at,
            ports=self.ports,
            parts=parts,
        )
        try:
            record.write(self.project.home, written)
            self._told_disk = False
        except OSError as error:
            if not self._told_disk:
                self._told_disk = True
                self.tell(f"{self.project.home / 'up.json'} cannot be written: {error.strerror}")
