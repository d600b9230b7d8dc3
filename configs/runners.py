"""The key `runner`: where the parts of a build are worked on. It changes how long a build takes and
nothing of what it makes: no fingerprint and no hash of a config covers it.
"""

import re
from importlib.util import find_spec
from typing import Self

from pydantic import Field, field_validator, model_validator

from llmops.configs.section import Section
from llmops.tasks.errors import did_you_mean

OPTIONS = {
    "threads": ("workers",),
    "dask": ("address", "workers", "threads"),
    "ray": ("address", "num_cpus"),
}
NEEDS = {"threads": (), "dask": ("prefect_dask", "distributed"), "ray": ("prefect_ray", "ray")}
"""The modules of the extra that is called like the runner."""
ADDRESSES = {
    "dask": re.compile(r"[a-z+]+://\S+:\d+"),
    "ray": re.compile(r"auto|(ray://)?[^\s/:]+:\d+"),
}
EXAMPLES = {
    "dask": "tcp://scheduler.example.org:8786",
    "ray": "ray://head.example.org:10001, head.example.org:6379, auto",
}


class Runner(Section):
    """`threads` of the run's own process, a `dask` or a `ray` cluster.

    `address`: of a cluster that runs; without it one is started on this machine for the run: for
    Dask `workers` processes of so many `threads`, for Ray `num_cpus` processes.
    """

    name: str = "threads"
    address: str | None = None
    workers: int | None = Field(default=None, ge=1, le=1024)
    threads: int | None = Field(default=None, ge=1, le=64)
    num_cpus: int | None = Field(default=None, ge=1, le=1024)

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else value

    @field_validator("name")
    @classmethod
    def _is_there(cls, name: str) -> str:
        if name not in OPTIONS:
            close = did_you_mean(name, OPTIONS)
            raise ValueError(
                f"no such runner; allowed: {', '.join(OPTIONS)}" + (close and f"; {close}")
            )
        if any(find_spec(module) is None for module in NEEDS[name]):
            raise ValueError(
                "the runner needs a library that is not installed; "
                f"install it: pip install 'llmops-pipelines[{name}]'"
            )
        return name

    @model_validator(mode="after")
    def _options_fit(self) -> Self:
        given = self.model_fields_set - {"name"}
        if strange := sorted(given - set(OPTIONS[self.name])):
            allowed = ", ".join(OPTIONS[self.name])
            raise ValueError(f"{self.name} has no option {strange[0]}; allowed: {allowed}")
        if self.address is None:
            return self
        if not ADDRESSES[self.name].fullmatch(self.address):
            raise ValueError(
                f"got the address {self.address!r}, allowed for {self.name}: {EXAMPLES[self.name]}"
            )
        if other := sorted(given - {"address"}):
            raise ValueError(
                f"a cluster with an address has its own processes: leave {', '.join(other)} out"
            )
        return self
