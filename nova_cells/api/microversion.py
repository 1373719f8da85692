# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Microversions: what a request asks for, and what a reply says back.

The API speaks 2.1 to 2.104; the major number never moves, so inside the API a version is its
minor number, a plain int.  Source: the public microversion specification and the api-ref.
Never guesses: a malformed header is 400, an unknown version 406.
"""

import re
import typing

from nova_cells.api import faults
from nova_cells.domain import errors

MIN, MAX = 1, 104
NEVER = MAX + 1
HEADER = "OpenStack-API-Version"
LEGACY_HEADER = "X-OpenStack-Nova-API-Version"
_FORM = re.compile(r"([1-9]\d*)\.([1-9]\d*|0)")


def minor(text: str) -> int:
    """The minor number of a version written in the code, such as "2.19"."""
    major, _, number = text.partition(".")
    if major != "2":
        raise errors.Bug(f"{text!r} is not a version of this API")
    return int(number)


def text(number: int) -> str:
    """How a version is written."""
    return f"2.{number}"


def _wanted(environ: dict[str, typing.Any]) -> str | None:
    """What the headers ask for; the newer header wins."""
    for entry in environ.get("HTTP_OPENSTACK_API_VERSION", "").split(","):
        service, _, version = entry.strip().partition(" ")
        if service.lower() in ("compute", "nova") and version.strip():
            return version.strip()
    return environ.get("HTTP_X_OPENSTACK_NOVA_API_VERSION", "").strip() or None


def asked(environ: dict[str, typing.Any]) -> int:
    """The minor number that a request asks for; without a header it is 2.1."""
    wanted = _wanted(environ)
    if wanted is None:
        return MIN
    if wanted.lower() == "latest":
        return MAX
    match = _FORM.fullmatch(wanted)
    if match is None:
        raise errors.Invalid(f"API Version String {wanted[:64]} is of invalid format. It must "
                             f"be of format Major.Minor.")
    if match[1] != "2" or len(match[2]) > 6 or not MIN <= int(match[2]) <= MAX:
        raise faults.NotAcceptable(
            f"Version {wanted[:64]} is not supported by the API. Minimum is {text(MIN)} and "
            f"maximum is {text(MAX)}.")
    return int(match[2])


def headers(number: int) -> list[tuple[str, str]]:
    """What every reply says about its version."""
    return list(_HEADERS[number])


_HEADERS = {number: ((HEADER, f"compute {text(number)}"), (LEGACY_HEADER, text(number)),
                     ("Vary", f"{HEADER}, {LEGACY_HEADER}"))
            for number in range(MIN, MAX + 1)}
