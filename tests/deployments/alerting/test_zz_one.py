import os

from llmops.flows.server.which import OWN
from tests.deployments.alerting import test_seven_nights as t
from tests.deployments.alerting.test_seven_nights import (
    Nights,
)


def test_one(lab, receiver, model, monkeypatch):
    monkeypatch.setenv("LLMOPS_HOME", str(lab.home))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    servers = {"PREFECT_API_URL": os.environ["PREFECT_API_URL"], OWN: ""}
    monkeypatch.delenv("PREFECT_API_URL")
    nights = Nights(lab, f"{receiver.url}/alerts", model.base_url, servers)
    first = nights.night()
    print(first.out[:1500], first.err[-500:])
    import subprocess

    print(subprocess.run(["ls", "-la", str(lab.home)], capture_output=True, text=True).stdout)
    old = nights.night

    def night(*a):
        said = old(*a)
        print("NIGHT", said.code, said.out[:3000], said.err[-1500:])
        return said

    nights.night = night
    old2 = nights.again

    def again(*a):
        said = old2(*a)
        print("AGAIN", said.code, said.out[:1500], said.err[-1500:])
        return said

    nights.again = again
    for which in os.environ["WHICH"].split(","):
        fault = getattr(t, which)
        args = {"tracking_down": (nights, monkeypatch), "endpoint_down": (nights, model)}.get(
            which, (nights,)
        )
        fault(*args)
        print("TOLD", which, receiver.told, nights.last.problems)
        for n in receiver.received:
            print(n["kind"], n["key"], n["message"])
