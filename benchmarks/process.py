# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What a process costs: memory of a stand-alone one, its start, and the API's imports."""

import json
import re
import subprocess
import sys
import time
import typing

from benchmarks import inprocess, measure, standalone

#: What the API is given: the libraries that every OpenStack API of this kind loads.
LIBRARIES = (
    "import alembic, cryptography.fernet, jsonschema, keystonemiddleware.auth_token, msgspec\n"
    "import orjson, oslo_config.cfg, oslo_context.context, oslo_db.sqlalchemy.enginefacade\n"
    "import oslo_log.log, oslo_messaging, oslo_middleware, oslo_policy.policy\n"
    "import oslo_utils.timeutils, paste.deploy, routes, sqlalchemy, webob\n")
WORKER = ("from benchmarks import inprocess\n"
          "api = inprocess.Api(0)\napi.ask('GET', '/servers')\n")
TELL = ("\nimport json, os, time\n"
        "from benchmarks import measure\n"
        "print(json.dumps({'cpu_s': round(time.process_time(), 2), **measure.memory_of()}))\n"
        "os._exit(0)\n")


def memory(quick: bool) -> typing.Iterator[measure.Row]:
    """A stand-alone process with two cells: its start, at rest, after servers."""
    running = standalone.Standalone("--virt", "fake", "--hosts-per-cell", "2")
    try:
        yield {"case": "stand-alone, 2 cells, first start", "start_s": running.started_s,
               "cpu_s": round(running.cpu(), 2)}
        time.sleep(3)
        cpu, begin = running.cpu(), time.monotonic()
        time.sleep(5 if quick else 20)
        idle = (running.cpu() - cpu) / (time.monotonic() - begin)
        yield {"case": "stand-alone, 2 cells, 4 hosts, at rest", **running.memory(),
               "cpu_percent": round(idle * 100, 2)}
        standalone.admit(running.base)
        time.sleep(5)
        count = 100 if quick else 1000
        caller = standalone.Caller(running.base, inprocess.TOKEN)
        standalone.boot(caller, count, 4, "boot-")
        time.sleep(1)
        yield {"case": f"stand-alone after {count} boots", **running.memory()}
        for _number in range(10):
            caller.json("/servers/detail?limit=1000")
        yield {"case": f"stand-alone after {count} boots and lists", **running.memory()}
    finally:
        running.stop()


def imports(quick: bool) -> typing.Iterator[measure.Row]:
    """CPU and memory of an API that has answered one request, beside its libraries alone."""
    runs = 1 if quick else 3
    best = {}
    for name, code in (("the libraries alone", LIBRARIES), ("API, first answer given", WORKER)):
        found = [json.loads(_python("-c", code + TELL).splitlines()[-1]) for _run in range(runs)]
        best[name] = min(found, key=lambda one: one["cpu_s"])
        yield {"case": name, **best[name]}
    given, ours = best.values()
    yield {"case": "API above its libraries", **{
        name: round(ours[name] - given[name], 2) for name in given}}
    yield from _top(10)


def _top(count: int) -> typing.Iterator[measure.Row]:
    """What takes longest to import, with all that it brings (-X importtime)."""
    text = _python("-X", "importtime", "-c", "import nova_cells.api.app, nova_cells.cmd.deployment",
                   errors=True)
    found = re.findall(r"import time:\s*(\d+) \|\s*(\d+) \|( +)(\S+)", text)
    ours = {name: (int(own), int(all_)) for own, all_, _in, name in found}
    package: dict[str, int] = {}
    for name, (own, _all) in ours.items():
        package[name.split(".")[0]] = package.get(name.split(".")[0], 0) + own
    for name, own in sorted(package.items(), key=lambda item: -item[1])[:count]:
        yield {"case": f"import {name}, its own modules", "own_ms": round(own / 1e3, 1)}


def _python(*words: str, errors: bool = False) -> str:
    done = subprocess.run([sys.executable, "-W", "ignore", *words], capture_output=True,
                          text=True, check=True, timeout=120)
    return done.stderr if errors else done.stdout
