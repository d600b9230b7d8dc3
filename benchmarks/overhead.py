"""What an evaluation costs beside the model: trivial rows through `llmops evaluate` and through
`mlflow.genai.evaluate`.

    python -m benchmarks.overhead [--rows 300] [--busy 0 2]

Both answer the same questions with the same function (the last word of the question) and score them
with the same scorer (exact_match), each in a process of its own with a local MLflow store in SQLite
that was made beforehand. Ours compares two arms, so that it answers and scores every row twice, and
decides. `inside`: the flow, up to the record in MLflow; `mlflow.genai.evaluate` and waiting for
what it logs in the background. `whole`: the command with its imports; the CPU of the background
Prefect server is counted in. `busy`: so many processes that only count run beside. `stored`:
results of cases that were found in the store afterwards.
"""

import argparse
import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from benchmarks.echo import last_word
from benchmarks.genai import questions
from llmops.flows import server
from llmops.tasks.decisions.tracking import TABLE
from llmops.tasks.tracking.store import opened, prepare, tracking_uri
from llmops.tasks.yaml_files import write_yaml

ROOT = Path(__file__).parent.parent
PLUGIN = "[llmops.llms]\necho = benchmarks.echo:Echo\n"
UNDECIDED = 5
LONGEST = 900


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--busy", type=int, nargs="+", default=[0, 2])
    chosen = parser.parse_args()
    sys.stdout.write(
        _row(
            "",
            [
                "results",
                "inside s",
                "inside CPU s",
                "whole s",
                "whole CPU s",
                "CPU ms/result",
                "stored",
            ],
        )
    )
    with prepared() as store:
        for busy in chosen.busy:
            found = []
            for name, run in (("llmops evaluate", ours), ("mlflow.genai.evaluate", theirs)):
                with busy_processes(busy):
                    found.append(run(chosen.rows, store))
                report(f"{name}, {busy} busy beside" if busy else name, found[-1])
            sys.stdout.write(ratio(*found))
    return 0


@contextlib.contextmanager
def prepared() -> Iterator[Path]:
    """A folder whose MLflow store has its tables and nothing else, for each round to begin with a
    copy of: making them takes longer than many a round.
    """
    with tempfile.TemporaryDirectory() as name:
        prepare(Path(name))
        yield Path(name)


def ratio(mine: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Ours as a share of theirs: one result, and the whole command; and what was lost."""
    per = [one["whole_cpu"] / one["results"] for one in (mine, other)]
    lost = [one["results"] - one["stored"] for one in (mine, other)]
    return (
        f"  ours by theirs: {per[0] / per[1]:.2f} of the CPU per result, "
        f"{mine['inside'] / other['inside']:.2f} of the time inside,"
        f" {mine['whole'] / other['whole']:.2f} of the whole; lost: {lost[0]} of ours, "
        f"{lost[1]} of theirs\n"
    )


def report(name: str, found: Mapping[str, Any]) -> None:
    inside_cpu = f"{found['inside_cpu']:.1f}" if found["inside_cpu"] is not None else "-"
    sys.stdout.write(
        _row(
            name,
            [
                str(found["results"]),
                f"{found['inside']:.1f}",
                inside_cpu,
                f"{found['whole']:.1f}",
                f"{found['whole_cpu']:.1f}",
                f"{1000 * found['whole_cpu'] / found['results']:.1f}",
                str(found["stored"]),
            ],
        )
    )
    sys.stdout.flush()


def ours(rows: int, store: Path) -> dict[str, Any]:
    """`llmops evaluate` with two arms, against a Prefect server that runs already, as it does from
    the second command on. `store`: as `prepared` gives it.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(store, folder / "home")
        environment = _environment(folder)
        _evaluate(folder, environment, write(folder, 2, "warm"))
        try:
            process = _server(folder / "home")
            before, served = _cpu(resource.RUSAGE_CHILDREN), _server_cpu(process)
            began = time.perf_counter()
            record = _evaluate(folder, environment, write(folder, rows, "measured"))
            whole = time.perf_counter() - began
            used = _cpu(resource.RUSAGE_CHILDREN) - before + _server_cpu(process) - served
            return {
                "results": 2 * rows,
                "inside_cpu": None,
                "whole": whole,
                "whole_cpu": used,
                **recorded(folder / "home", record),
            }
        finally:
            subprocess.run(
                [_command(), "down", "--quiet"], env=environment, check=False, capture_output=True
            )


def theirs(rows: int, store: Path, patience: float = LONGEST) -> dict[str, Any]:
    """`mlflow.genai.evaluate` on a copy of a prepared store; one that has not `finished` after so
    many seconds is ended, and what is in its store is counted.
    """
    with tempfile.TemporaryDirectory() as name:
        shutil.copytree(store, name, dirs_exist_ok=True)
        before, began = _cpu(resource.RUSAGE_CHILDREN), time.perf_counter()
        try:
            found = _genai(rows, name, patience)
        except subprocess.TimeoutExpired:
            found = {"wall": time.perf_counter() - began, "cpu": None}
        whole, used = time.perf_counter() - began, _cpu(resource.RUSAGE_CHILDREN) - before
        found = found if "scored" in found else found | _genai(0, name, LONGEST)
        return {
            "results": rows,
            "inside": found["wall"],
            "inside_cpu": found["cpu"],
            "whole": whole,
            "whole_cpu": used,
            "stored": found["scored"],
            "finished": found["cpu"] is not None,
        }


def _genai(rows: int, folder: str, patience: float) -> dict[str, Any]:
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.genai", str(rows), folder],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=patience,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    if ended.returncode:
        raise RuntimeError(
            f"benchmarks.genai ended with {ended.returncode}: {ended.stderr[-2000:]}"
        )
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


def write(folder: Path, rows: int, name: str) -> Path:
    """The config of an evaluation of so many trivial rows."""
    cases = [
        {
            "id": str(number),
            "inputs": {"question": question},
            "expected": {"answer": last_word(question)},
        }
        for number, question in enumerate(questions(rows))
    ]
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
    for arm in ("baseline", "candidate"):
        messages = [
            {"role": "system", "content": f"You are the {arm}."},
            {"role": "user", "content": "{{question}}"},
        ]
        (folder / f"{arm}.yaml").write_text(write_yaml({"name": arm, "messages": messages}))
    config = {
        "flow": "evaluate",
        "name": name,
        "cases": f"{name}.jsonl",
        "scorers": ["exact_match"],
        "decide": {"metric": "exact_match"},
        "arms": {
            arm: {"prompt": f"{arm}.yaml", "llm": "echo"} for arm in ("baseline", "candidate")
        },
    }
    (folder / f"{name}.yaml").write_text(write_yaml(config))
    return folder / f"{name}.yaml"


def recorded(home: Path, record: Mapping[str, Any]) -> dict[str, Any]:
    """`stored`: the scored results of cases in the file that MLflow shows as the run's table;
    `inside`: seconds from the begin of the flow until MLflow's run was complete."""
    with opened(home, tracking_uri(home)) as client, tempfile.TemporaryDirectory() as folder:
        ended = client.get_run(record["mlflow_run_id"]).info.end_time / 1000
        table = json.loads(
            Path(client.download_artifacts(record["mlflow_run_id"], TABLE, folder)).read_text(
                "utf-8"
            )
        )
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    began = datetime.fromisoformat(record["created_at"]).timestamp() - record["seconds"]
    found = {
        (row["case_id"], row["arm"], row["repeat"])
        for row in rows
        if row["exact_match"] is not None
    }
    return {"stored": len(found), "inside": ended - began}


@contextlib.contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """So many processes that count as fast as they can; they end with the block, and by themselves
    after some minutes.
    """
    code = f"import time\nend = time.time() + {2 * LONGEST}\nwhile time.time() < end: pass"
    started = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(count)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def _evaluate(folder: Path, environment: Mapping[str, str], config: Path) -> dict[str, Any]:
    ended = subprocess.run(
        [_command(), "evaluate", str(config), "--json"],
        env=dict(environment),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST,
    )
    if ended.returncode != UNDECIDED:  # both arms say the same
        raise RuntimeError(
            f"llmops evaluate ended with {ended.returncode}: {ended.stdout[-1000:]} "
            f"{ended.stderr[-2000:]}"
        )
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def _environment(folder: Path) -> dict[str, str]:
    """With the trivial model registered as another package would do it."""
    package = folder / "package" / "llmops_benchmark_echo-0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: llmops-benchmark-echo\nVersion: 0\n"
    )
    (package / "entry_points.txt").write_text(PLUGIN)
    path = os.pathsep.join(
        [str(package.parent), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    return os.environ | {"LLMOPS_HOME": str(folder / "home"), "PYTHONPATH": path}


def _command() -> str:
    return str(Path(sys.executable).parent / "llmops")


def _row(name: str, values: list[str]) -> str:
    return f"{name:<38}" + "".join(f"{value:>15}" for value in values) + "\n"


def _cpu(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def _server(home: Path) -> psutil.Process:
    found = server.find(home)
    if found is None:
        raise RuntimeError(f"the Prefect server of {home} does not answer")
    return psutil.Process(found.pid)


def _server_cpu(process: psutil.Process) -> float:
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return float(sum(one.user + one.system for one in times))


if __name__ == "__main__":
    raise SystemExit(main())
