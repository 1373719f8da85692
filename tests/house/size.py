# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Report what has grown: files over 400 lines, functions over 40.

Run it with ``python -m tests.house.size``.  It reports and does not forbid: even loved code grows
ten-thousand-line files, so size is watched from the first commit.
"""

import ast
from pathlib import Path

from tests.house import tree

FILE_LINES = 400
FUNCTION_LINES = 40


def long_files(paths) -> list[tuple[int, str]]:
    """(lines, file) of every file that is too long to be read at one go, the longest first."""
    sizes = ((len(path.read_text().splitlines()), tree.short(path)) for path in paths)
    return sorted((size for size in sizes if size[0] > FILE_LINES), reverse=True)


def long_functions(paths) -> list[tuple[int, str]]:
    """(lines, place) of every function too long without its docstring, the longest first."""
    found = []
    for path in paths:
        for node in ast.walk(tree.parsed(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = _lines(node)
                if lines > FUNCTION_LINES:
                    found.append((lines, f"{tree.short(path)}:{node.lineno} {node.name}"))
    return sorted(found, reverse=True)


def _lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    if ast.get_docstring(node, clean=False) is not None:
        text = node.body[0]
        lines -= (text.end_lineno or text.lineno) - text.lineno + 1
    return lines


def report(paths: list[Path]) -> str:
    total = sum(len(path.read_text().splitlines()) for path in paths)
    lines = [f"{len(paths)} modules, {total} lines"]
    for kind, most, found in (
        ("file", FILE_LINES, long_files(paths)),
        ("function", FUNCTION_LINES, long_functions(paths)),
    ):
        lines += [f"  {kind} over {most} lines: {n:5} {what}" for n, what in found]
    return "\n".join(lines)


if __name__ == "__main__":
    print(report(list(tree.modules())))
