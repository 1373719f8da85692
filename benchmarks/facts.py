# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What was measured, on what, and when."""

import datetime
import importlib.metadata
import os
import pathlib
import platform
import shutil
import sqlite3
import subprocess
import sys
import typing

ROOT = pathlib.Path(__file__).resolve().parents[1]
LIBRARIES = ("SQLAlchemy", "oslo.messaging", "oslo.policy", "oslo.middleware",
             "keystonemiddleware", "msgspec", "orjson", "WebOb", "waitress")


def gather() -> dict[str, typing.Any]:
    """Machine, versions, commit, date."""
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        "commit": _commit(), "python": sys.version.split()[0], "sqlite": sqlite3.sqlite_version,
        "libraries": {name: _version(name) for name in LIBRARIES},
        "machine": {"processor": _processor(), "cores": os.cpu_count(),
                    "memory_gib": round(os.sysconf("SC_PAGE_SIZE")
                                        * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
                    "system": f"{platform.system()} {platform.release()}"},
        "load_average": [round(value, 2) for value in os.getloadavg()]}


def _commit() -> str:
    git = shutil.which("git")
    if git is None:
        return "unknown"

    def say(*words: str) -> str:
        return subprocess.run([git, "-C", str(ROOT), *words], capture_output=True, text=True,
                              check=False).stdout.strip()
    changed = " with changes" if say("status", "--porcelain", "--untracked-files=no",
                                     "nova_cells") else ""
    return (say("rev-parse", "--short=12", "HEAD") or "unknown") + changed


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
