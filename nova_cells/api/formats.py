# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Formats of text that shapes name: each tests a string and returns what is wrong, or False.

True means wrong without a special sentence.  Pure.  Source: the public api-ref.
"""

import base64
import binascii
import datetime
import ipaddress
import re
import typing
import unicodedata
import uuid

Verdict = bool | str
_UUID = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}\Z")
_BLANK = {"Zs", "Zl", "Zp"}
_HIDDEN = {"Cc", "Cs", "Co", "Cn"}


def _uuid(text: str) -> Verdict:
    return not _UUID.match(text)


def _ip(kind: type) -> typing.Callable[[str], Verdict]:
    def check(text: str) -> Verdict:
        try:
            kind(text)
        except ValueError:
            return True
        return False
    return check


def address(text: str | None) -> str | None:
    """An address as it is kept and shown: in its shortest form; "" and None stay."""
    return str(ipaddress.ip_address(text)) if text else text


def parse_time(text: str) -> float | None:
    """Seconds since the epoch of an ISO 8601 time (UTC unless it says otherwise), or None."""
    try:
        moment = datetime.datetime.fromisoformat(text.strip().replace(" ", "+")
                                                 if text.count(" ") == 1 and "T" in text
                                                 else text.strip())
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    try:
        return moment.timestamp()
    except (ValueError, OverflowError):
        return None


def _time(text: str) -> Verdict:
    return parse_time(text) is None


def _base64(text: str) -> Verdict:
    try:
        base64.b64decode(text.encode(), validate=False)
        return not re.fullmatch(r"[A-Za-z0-9+/=\s]*", text)
    except (binascii.Error, ValueError):
        return True


def printable(text: str) -> bool:
    """Whether every character can be shown."""
    return text.isascii() and text.isprintable() or not any(
        unicodedata.category(char) in _HIDDEN for char in text)


def _edges(text: str) -> bool:
    return text != text.strip() or any(unicodedata.category(char) in _BLANK and char != " "
                                       for char in (text[:1], text[-1:]) if char)


def _name(text: str) -> Verdict:
    if not text.strip() or _edges(text) or not printable(text):
        return ("The string must be printable, and neither begin nor end with whitespace; it "
                "must not be blank.")
    return False


def _lax_name(text: str) -> Verdict:
    if not text.strip() or not printable(text):
        return "The string must be printable and must not be blank."
    return False


def _description(text: str) -> Verdict:
    if all(printable(line) for line in re.split(r"[\r\n\t]", text)):
        return False
    return "The string must be printable; line breaks are allowed."


def _regex(text: str) -> Verdict:
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError):
        return f"{text[:64]!r} is not a 'regex'"
    return False


FORMATS: dict[str, typing.Callable[[str], Verdict]] = {
    "uuid": _uuid,
    "ipv4": _ip(ipaddress.IPv4Address),
    "ipv6": _ip(ipaddress.IPv6Address),
    "date-time": _time,
    "base64": _base64,
    "name": _name,
    "lax_name": _lax_name,
    "description": _description,
    "regex": _regex,
}


def is_uuid(text: str) -> bool:
    """Whether text spells a uuid."""
    return bool(_UUID.match(text))


def usual_uuid(text: str) -> str:
    """The usual spelling of a uuid."""
    return str(uuid.UUID(text))
