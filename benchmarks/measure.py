# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""How a case is measured: repeated for a bounded time and count, wall and CPU time apart.

CPU time per request hardly depends on what else the machine does; rates and percentiles do.
"""

import collections
import collections.abc
import gc
import os
import pathlib
import time
import tracemalloc
import typing

import sqlalchemy as sa

Row = dict[str, typing.Any]
TICKS = os.sysconf("SC_CLK_TCK")


def percentile(values: collections.abc.Sequence[float], percent: float) -> float:
    """The value that so many per cent do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, int(len(ordered) * percent / 100 + 0.5) - 1))]


def milliseconds(values: collections.abc.Sequence[float]) -> Row:
    """p50 and p99."""
    return {"p50_ms": round(percentile(values, 50) * 1e3, 3),
            "p99_ms": round(percentile(values, 99) * 1e3, 3)}


def repeat(ask: collections.abc.Callable[[], bytes], seconds: float, least: int = 20,
           most: int = 20_000) -> Row:
    """Call ``ask`` one after another for about so long.  It returns the body of the answer.

    The CPU time is the median of slices of ``least`` calls each: a neighbour that empties the
    processor's caches for a moment is not ours.
    """
    for _warm in range(3):
        body = ask()
    gc.collect()
    times: list[float] = []
    clock, end = time.perf_counter, time.perf_counter() + seconds
    slices: list[float] = []
    begin = time.perf_counter()
    while len(times) < most and (len(times) < least or clock() < end):
        cpu = time.process_time()
        for _call in range(least):
            before = clock()
            ask()
            times.append(clock() - before)
        slices.append((time.process_time() - cpu) / least)
    wall = clock() - begin
    return {"n": len(times), "cpu_ms": round(percentile(slices, 50) * 1e3, 3),
            "per_s": round(len(times) / wall, 1), **milliseconds(times), "bytes": len(body)}


def extra_memory(ask: collections.abc.Callable[[], bytes]) -> int:
    """Bytes that Python had to allocate at most while one request was answered."""
    ask()
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        ask()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


class Counter:
    """Counts transactions on engines of this process and messages on its buses."""

    def __init__(self) -> None:
        self.commits: collections.Counter[str] = collections.Counter()
        self.reads = self.messages = self.syncs = 0

    def engine(self, name: str, engine: sa.Engine) -> None:
        """Count the commits of an engine: those that may write, by name, and those that read."""
        def committed(connection: sa.Connection) -> None:
            if connection.get_execution_options().get("write"):
                self.commits[name] += 1
            else:
                self.reads += 1
        sa.event.listen(engine, "commit", committed)

    def calls(self, owner: typing.Any, name: str, what: str) -> None:
        """Count calls of a method of a class."""
        inner = getattr(owner, name)

        def counted(*args: typing.Any, **more: typing.Any) -> typing.Any:
            setattr(self, what, getattr(self, what) + 1)
            return inner(*args, **more)
        setattr(owner, name, counted)

    def snapshot(self) -> tuple[dict[str, int], int, int, int]:
        """What was counted so far."""
        return dict(self.commits), self.reads, self.messages, self.syncs

    def since(self, before: tuple[dict[str, int], int, int, int], n: int) -> Row:
        """What was counted since, per one of ``n`` things."""
        commits = {name: round((count - before[0].get(name, 0)) / n, 2)
                   for name, count in self.commits.items()}
        return {"commits": round(sum(commits.values()), 2), "commits_of": commits,
                "reads": round((self.reads - before[1]) / n, 2),
                "messages": round((self.messages - before[2]) / n, 2),
                "syncs": round((self.syncs - before[3]) / n, 2)}


def cpu_of(pid: int) -> float:
    """CPU seconds of a process so far."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def trees(roots: collections.abc.Iterable[int]) -> set[int]:
    """These processes and all that descend from them."""
    children: dict[int, list[int]] = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue                     # it has just ended
            children.setdefault(parent, []).append(int(entry.name))
    waiting, found = list(roots), set()
    while waiting:
        own = waiting.pop()
        found.add(own)
        waiting += children.get(own, [])
    return found


def cpu_of_trees(roots: collections.abc.Iterable[int]) -> float:
    """CPU seconds so far of these processes and all that descend from them."""
    total = 0.0
    for pid in trees(roots):
        try:
            total += cpu_of(pid)
        except OSError:
            continue                         # it has just ended
    return total


def memory_of(pid: int | str = "self") -> Row:
    """RSS and PSS of a process in MiB."""
    found = {}
    with open(f"/proc/{pid}/smaps_rollup") as file:
        for line in file:
            name, _, rest = line.partition(":")
            if name in ("Rss", "Pss"):
                found[f"{name.lower()}_mib"] = round(int(rest.split()[0]) / 1024, 1)
    return found
