# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Tempest's response schemas as an oracle: strict, so one key too many fails.

Used where Tempest is installed (NOVA_CELLS_TEMPEST names its environment); elsewhere the checks
pass over.
"""

import glob
import importlib
import os
import re
import sys

import jsonschema

ROOT = os.environ.get("NOVA_CELLS_TEMPEST", "")


def _package() -> bool:
    """Whether the schemas can be imported."""
    for path in (*sys.path, ROOT, *glob.glob(f"{ROOT}/lib/python*/site-packages")):
        if path and os.path.isdir(os.path.join(path, "tempest", "lib", "api_schema")):
            if path not in sys.path:
                sys.path.append(path)
            return True
    return False


def _folders(version: str) -> list[str]:
    """The folders whose schemas hold at a version (minor), newest first: v2_53, ..., v2_1."""
    found = []
    for path in sys.path:
        for folder in glob.glob(f"{path}/tempest/lib/api_schema/response/compute/v2_*"):
            match = re.fullmatch(r"v2_([0-9]+)", os.path.basename(folder))
            if match and int(match.group(1)) <= int(version.partition(".")[2]):
                found.append(int(match.group(1)))
    return [f"v2_{number}" for number in sorted(set(found), reverse=True)]


def check(module: str, name: str, version: str, status: int, body: object) -> None:
    """Raise unless a reply is as the newest schema says that holds at this version."""
    if not _package():
        return
    for folder in _folders(version):
        try:
            found = importlib.import_module(
                f"tempest.lib.api_schema.response.compute.{folder}.{module}")
        except ImportError:
            continue
        schema = getattr(found, name, None)
        if schema is not None:
            assert status in schema["status_code"], (folder, name, status)
            if "response_body" in schema:
                jsonschema.Draft4Validator(
                    schema["response_body"],
                    format_checker=jsonschema.FormatChecker()).validate(body)
            return
    raise AssertionError(f"no schema {module}.{name} at {version}")
