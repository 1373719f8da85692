# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""``python -m benchmarks [--quick] [-f json] [-o FILE] NAME...``: see README.rst."""

import argparse
import importlib
import json
import sys
import time
import typing

from benchmarks import facts, measure

#: Name -> module and function.
SUITES = {
    "lists": ("lists", "reading"), "tokens": ("lists", "tokens"),
    "worker": ("worker", "worker"), "growth": ("lists", "growth"), "posts": ("boots", "posts"),
    "decide": ("decisions", "decisions"), "path": ("decisions", "path"),
    "boots": ("boots", "boots"), "counts": ("boots", "counts"), "sync": ("sync", "sync"),
    "heal": ("sync", "heal"), "memory": ("process", "memory"), "imports": ("process", "imports"),
    "processes": ("processes", "processes"), "cells": ("fleet", "fleet"),
}
COLUMNS = ("case", "n", "cpu_ms", "per_s", "p50_ms", "p99_ms", "bytes")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*SUITES, []],
                        help=f"which: {', '.join(SUITES)}; default: all")
    parser.add_argument("--quick", action="store_true", help="fewer, shorter, smaller: a look")
    parser.add_argument("-f", "--format", choices=("table", "json"), default="table")
    parser.add_argument("-o", "--output", metavar="FILE", help="also write JSON there")
    options = parser.parse_args()
    found: dict[str, typing.Any] = {"facts": facts.gather(), "quick": options.quick, "rows": []}
    begin = time.monotonic()
    for name in options.names or SUITES:
        module, function = SUITES[name]
        for row in getattr(importlib.import_module(f"benchmarks.{module}"), function)(
                options.quick):
            found["rows"].append({"suite": name, **row})
            found["took_s"] = round(time.monotonic() - begin, 1)
            sys.stderr.write(f"{found['took_s']:6.1f} s  {name}: {row['case']}\n")
            if options.output:           # what was measured stays if the next one breaks
                with open(options.output, "w") as file:
                    json.dump(found, file, indent=1)
    if options.format == "json":
        sys.stdout.write(json.dumps(found, indent=1) + "\n")
    else:
        sys.stdout.write(table(found))
    return 0


def table(found: dict[str, typing.Any]) -> str:
    """Every row, with what is particular to it at its end."""
    lines = [_head(found["facts"]), ""]
    width = max(len(row["case"]) for row in found["rows"]) if found["rows"] else 10
    lines.append(f"{'case':{width}} {'n':>6} {'CPU ms':>9} {'per s':>9} {'p50 ms':>9} "
                 f"{'p99 ms':>9} {'bytes':>9}  more")
    for row in found["rows"]:
        cells = [f"{_text(row.get(name)):>{6 if name == 'n' else 9}}" for name in COLUMNS[1:]]
        more = ", ".join(f"{name}={_text(value)}" for name, value in row.items()
                         if name not in COLUMNS and name != "suite")
        lines.append(f"{row['case']:{width}} {' '.join(cells)}  {more}".rstrip())
    return "\n".join(lines) + "\n"


def _head(known: measure.Row) -> str:
    machine = known["machine"]
    return (f"{known['date']}, commit {known['commit']}, Python {known['python']}, SQLite "
            f"{known['sqlite']}, {machine['cores']} cores of {machine['processor']}, load "
            f"{known['load_average'][0]}")


def _text(value: typing.Any) -> str:
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) and abs(value) < 1e5 else str(value)


if __name__ == "__main__":
    raise SystemExit(main())
