"""Our own runs: the scenarios, and what their summaries say."""

import json
import shutil
import tempfile
from pathlib import Path

from . import process
from .numbers import QUANTILES

# What every scenario of the benchmarks has; `identity` and objectives are not what is measured.
SCENARIO = """\
name: {name}
system: {{ target: "{target}" }}
phases: {{ {phases} }}
load:
  - {load}
journeys:
  {journey}
prober: {{ path: / }}
{more}objectives: []
"""

# Status and body are checked, as the peers that can do it are told to do.
ASK = "ask: [{ get: /, expect: { status: 200, body: xxxx } }]"

# Each request carries its number, so that the server's record can tell which it is.
ASK_NUMBERED = 'ask: [{ name: ask, get: "/{{ counter }}", expect: { status: 200 } }]'

TLS = "transport: { tls: { insecure: true } }\n"

JOURNEY = """buy:
    - post: /login
      json: { user: "u{{ user }}", password: secret }
      expect: { status: 200, json: { user.name: ann } }
      capture: { token: { json: token } }
    - get: /items
      headers: { authorization: "Bearer {{ token }}" }
      expect: { status: 200, json: { items.0.name: anvil } }
      capture: { item: { json: items.1.id } }
    - post: /orders
      headers: { authorization: "Bearer {{ token }}" }
      json: { item: "{{ item }}", count: 2 }
      expect: { status: 201, json: { state: taken } }
      capture: { order: { json: id } }
    - name: look
      get: "/orders/{{ order }}"
      headers: { authorization: "Bearer {{ token }}" }
      expect: { status: 200, json: { total: 42 } }"""


def closed(url, seconds, users, journey=ASK, more="", engine=""):
    """`users` users who ask again and again."""
    name = journey.split(":")[0]
    load = f"{{ executor: constant-vus, vus: {users}, journey: {name}{engine} }}"
    return scenario("closed", url, f"run: {seconds}s", load, journey, more)


def opened(url, seconds, rate, users, numbered=False, warm_up=0):
    """`rate` requests a second, by `users` users at most."""
    load = f"{{ executor: constant-arrival-rate, rate: {rate}/s, journey: ask, maxVUs: {users} }}"
    phases = f"warm-up: {warm_up}s, run: {seconds}s" if warm_up else f"run: {seconds}s"
    return scenario("open", url, phases, load, ASK_NUMBERED if numbered else ASK, f"users: {users}\n")


def scenario(name, url, phases, load, journey, more):
    """The text of a scenario."""
    return SCENARIO.format(name=name, target=url.rstrip("/"), phases=phases, load=load,
                           journey=journey, more=(TLS if url.startswith("https") else "") + more)


class Run:
    """A run of ours: what it cost and what it says of itself."""

    def __init__(self, cost, summary):
        self.cost = cost
        self.summary = summary

    @property
    def cpu(self):
        """CPU seconds of the generation phase."""
        return self.summary["generator"]["cpu_seconds"]

    @property
    def requests(self):
        """Requests of the whole run."""
        return self.summary["requests"]["total"]

    def latency(self, outcomes="all", kind="response"):
        """The quantiles of all requests, in seconds."""
        keys = {"p50": "p50_ms", "p90": "p90_ms", "p99": "p99_ms", "p99.9": "p999_ms", "max": "max_ms"}
        for row in self.summary["latency"]:
            if (row["phase"], row["journey"], row["step"]) == (None, None, None) \
                    and (row["latency"], row["outcomes"]) == (kind, outcomes):
                return {name: row[keys[name]] * 1e-3 for name in QUANTILES}
        return {}

    def lateness(self, name):
        """The send lateness over the run, in seconds: `p50`, `p99` or `max`."""
        lateness = self.summary["generator"].get("lateness")
        return lateness[f"{name}_ms"] * 1e-3 if lateness else None


def run(tools, text, core=None, sample_every=None, timeout=600):
    """Runs the scenario `text`; None when it failed."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        (place / "scenario.yaml").write_text(text)
        argv = [tools.get("rehearsal"), "run", "scenario.yaml", "--out", "run"]
        cost = process.run(tools.get("counterpart"), argv, core=core, cwd=place, timeout=timeout,
                           env={"REHEARSAL_STATE": str(place / "state")}, sample_every=sample_every)
        summary = place / "run" / "summary.json"
        if not summary.exists():
            keep = Path(tempfile.gettempdir()) / "rehearsal-bench-failed.yaml"
            shutil.copy(place / "scenario.yaml", keep)
            raise RuntimeError(f"our own run failed ({cost.code}), its scenario is {keep}:\n{cost.stderr}")
        return Run(cost, json.loads(summary.read_text()))
