# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""``python -m benchmarks.report WHOLE.json [BESIDE.json]``: the tables of RESULTS.rst."""

import json
import sys
import typing

from benchmarks import __main__ as command

NUMBERS = ("n", "cpu_ms", "per_s", "p50_ms", "p99_ms", "bytes")


def whole(found: dict[str, typing.Any]) -> list[str]:
    """One table per suite."""
    lines = [command._head(found["facts"]) + f"; it took {found['took_s']:.0f} s.", ""]
    suites = dict.fromkeys(row["suite"] for row in found["rows"])
    for suite in suites:
        rows = [row for row in found["rows"] if row["suite"] == suite]
        lines += [suite, "-" * len(suite), ""]
        lines += _table(("case", *(name.replace("_", " ") for name in NUMBERS), "more"), [
            [row["case"], *(command._text(row.get(name)) for name in NUMBERS), ", ".join(
                f"{name}={command._text(value)}" for name, value in row.items()
                if name not in command.COLUMNS and name != "suite")] for row in rows])
    return lines


def beside(found: dict[str, typing.Any]) -> list[str]:
    """Nova, ours, ratios."""
    def side(row: dict[str, typing.Any]) -> list[str]:
        return [command._text(row[name]) for name in ("cpu_ms", "per_s", "p50_ms", "p99_ms")]
    rows = [row for row in found["rows"] if "ratio" in row]
    return [command._head(found["facts"]), "", *_table(
        ("case", "clients", "Nova: CPU ms", "per s", "p50", "p99", "ours: CPU ms", "per s", "p50",
         "p99", "CPU ratio", "rate ratio", "p50 ratio"),
        [[row["case"], str(row["clients"]), *side(row["nova"]), *side(row["ours"]),
          *(command._text(row["ratio"].get(name)) for name in ("cpu", "per_s", "p50"))]
         for row in rows])]


def _table(head: typing.Sequence[str], rows: list[list[str]]) -> list[str]:
    widths = [max(len(line[at]) for line in [list(head), *rows]) for at in range(len(head))]
    rule = "  ".join("=" * max(width, 2) for width in widths)

    def line(cells: typing.Sequence[str]) -> str:
        shown = [cell or "\\" for cell in cells[:1]] + [cell or "-" for cell in cells[1:]]
        return "  ".join(cell.ljust(max(width, 2)) for cell, width in zip(
            shown, widths, strict=True)).rstrip()
    return [rule, line(head), rule, *(line(row) for row in rows), rule, ""]


def main() -> int:
    """The command."""
    for show, path in zip((whole, beside), sys.argv[1:], strict=False):
        with open(path) as file:
            sys.stdout.write("\n".join(show(json.load(file))) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
