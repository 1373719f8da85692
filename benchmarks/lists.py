# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Reading: lists, polls, one server; and how a page grows with cells and with rows."""

import contextlib
import datetime
import importlib.util
import shutil
import socket
import subprocess
import time
import typing

import orjson

from benchmarks import inprocess, keystone, measure

GOOD = "gAAAAABo" + "x" * 175            # as long as a real one
POLL = "/servers/detail?changes-since=2999-01-01T00:00:00Z"


def reading(quick: bool) -> typing.Iterator[measure.Row]:
    """GET servers/detail, servers, servers/{id} over 10,000 servers."""
    seconds = 0.3 if quick else 1.5
    api = inprocess.Api(2000 if quick else 10_000)
    try:
        for version in ("2.1", "2.96"):
            for rows in (20, 100, 1000):
                yield _case(api, f"detail {rows} rows, {version}",
                            f"/servers/detail?limit={rows}", version, seconds)
        yield _memory(api, 1000)
        for rows in (100, 1000):
            yield _case(api, f"servers {rows} rows", f"/servers?limit={rows}", "2.1", seconds)
        yield _case(api, "detail 100 rows, status", "/servers/detail?limit=100&status=SHUTOFF",
                    "2.1", seconds)
        yield _case(api, "detail 100 rows, name", "/servers/detail?limit=100&name=bench-.*7$",
                    "2.1", seconds)
        yield _case(api, "detail 100 rows, admin, all projects",
                    "/servers/detail?limit=100&all_tenants=1", "2.1", seconds, token="admin:admins")
        yield _poll(api, seconds)
        yield _unchanged(api, seconds)
        one = api.json("/servers?limit=1")["servers"][0]["id"]
        for version in ("2.1", "2.96"):
            yield _case(api, f"show, {version}", f"/servers/{one}", version, seconds)
    finally:
        api.close()


def growth(quick: bool) -> typing.Iterator[measure.Row]:
    """Pages of 20, 100 and 1000 rows by cells and by rows in the view."""
    seconds = 0.2 if quick else 1.0
    for cells in (1, 4, 16):
        api = inprocess.Api(2000, cells)
        try:
            for rows in (20, 100, 1000):
                yield _case(api, f"detail {rows} rows, {cells} cells",
                            f"/servers/detail?limit={rows}", "2.1", seconds)
        finally:
            api.close()
    api, before = inprocess.Api(0, 4), 0
    try:
        for total in (1000, 10_000) if quick else (1000, 10_000, 100_000):
            api.grow(total, before)
            before = total
            for rows in (20, 100, 1000):
                yield _case(api, f"detail {rows} rows of {total:,}",
                            f"/servers/detail?limit={rows}", "2.1", seconds)
            marker = api.json(f"/servers?limit={min(1000, total // 2)}")["servers"][-1]["id"]
            yield _case(api, f"detail 100 rows of {total:,}, after a marker",
                        f"/servers/detail?limit=100&marker={marker}", "2.1", seconds)
    finally:
        api.close()


def tokens(quick: bool) -> typing.Iterator[measure.Row]:
    """The same with keystonemiddleware before it: asked each time, and remembered by us."""
    seconds = 0.3 if quick else 1.5
    with keystone.running() as identity, memcached() as (store, line):
        identity.tokens[GOOD] = keystone.body("bench", inprocess.PROJECT, ["member", "reader"])
        for name, remembered in (("asked each time", 0), ("remembered", 10)):
            api = inprocess.Api(2000, settings=identity.settings + line, auth_strategy="keystone",
                                token_cache_time=remembered)
            try:
                one = api.json("/servers?limit=1", token=GOOD)["servers"][0]["id"]
                for case, path in (("show", f"/servers/{one}"),
                                   ("detail 20 rows", "/servers/detail?limit=20"),
                                   ("changes-since poll, nothing new", POLL)):
                    yield {**_case(api, f"{case}, tokens {name}", path, "2.1", seconds,
                                   token=GOOD), "store": store}
            finally:
                api.close()


@contextlib.contextmanager
def memcached() -> typing.Iterator[tuple[str, str]]:
    """A memcached of our own, and the line of configuration that names it; without one
    keystonemiddleware keeps its store, which is deprecated, in the process."""
    program = shutil.which("memcached")
    if program is None or importlib.util.find_spec("memcache") is None:
        yield "in the process", ""
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([program, "-l", "127.0.0.1", "-p", str(port), "-U", "0",
                                "-u", "nobody"])
    try:
        end = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
        yield "memcached", f"memcached_servers = 127.0.0.1:{port}\n"
    finally:
        process.terminate()
        process.wait(30)


def _case(api: inprocess.Api, name: str, path: str, version: str, seconds: float,
          **more: typing.Any) -> measure.Row:
    return {"case": name, **measure.repeat(
        lambda: api.ask("GET", path, version, **more), seconds)}


def _memory(api: inprocess.Api, rows: int) -> measure.Row:
    path = f"/servers/detail?limit={rows}"
    body = len(api.ask("GET", path, "2.96"))
    extra = measure.extra_memory(lambda: api.ask("GET", path, "2.96"))
    return {"case": f"detail {rows} rows: memory", "bytes": body, "extra_bytes": extra,
            "times_body": round(extra / body, 2)}


def _poll(api: inprocess.Api, seconds: float) -> measure.Row:
    """Nothing changed since: what a client that polls gets every time."""
    since = datetime.datetime.fromtimestamp(inprocess.BEGIN + 10**9, datetime.UTC)
    path = f"/servers/detail?changes-since={since:%Y-%m-%dT%H:%M:%SZ}"
    assert not orjson.loads(api.ask("GET", path))["servers"]
    return _case(api, "changes-since poll, nothing new", path, "2.1", seconds)


def _unchanged(api: inprocess.Api, seconds: float) -> measure.Row:
    path = "/servers/detail?limit=1000"
    api.ask("GET", path)
    tag = api.headers["ETag"]
    return _case(api, "detail 1000 rows, ETag matches", path, "2.1", seconds, expected=304,
                 HTTP_IF_NONE_MATCH=tag)
