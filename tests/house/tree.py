# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What the tests of the house look at: the files that are in the repository, or about to be."""

import ast
import functools
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "nova_cells"


@functools.cache
def files() -> tuple[Path, ...]:
    """Every file that git knows or would add; without git, every file that is not hidden."""
    asked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
    )
    if asked.returncode:
        found = [path for path in ROOT.rglob("*") if not _hidden(path)]
    else:
        found = [ROOT / name.decode() for name in asked.stdout.split(b"\0") if name]
    return tuple(sorted(path for path in found if path.is_file()))


def _hidden(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    return any(part.startswith(".") or part in ("build", "__pycache__") for part in parts)


def modules(folder: Path = PACKAGE) -> Iterator[Path]:
    """The Python files below a folder."""
    return (path for path in files() if path.suffix == ".py" and path.is_relative_to(folder))


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def texts() -> Iterator[tuple[Path, str]]:
    """Every file that is text, with what it says."""
    for path in files():
        try:
            yield path, path.read_text()
        except UnicodeDecodeError:
            continue


def scripts() -> list[Path]:
    """Every shell script: by its name or by its first line."""
    return [
        path
        for path, text in texts()
        if path.suffix == ".sh" or text.startswith(("#!/bin/bash", "#!/usr/bin/env bash"))
    ]


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """(line, full name) of every import in a file, those inside functions too."""
    package = path.parent.relative_to(ROOT).parts
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            yield node.lineno, ".".join((*above, *filter(None, [node.module])))
