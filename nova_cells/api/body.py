# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Reads the body of a request: at most so many bytes, of JSON, said once.

Too large is 413, another type 415, anything that is not plain JSON 400: not UTF-8, NaN, too
deep, a key twice, a NUL inside text (which one of the databases cannot hold).
"""

import json
import typing

import orjson
from oslo_config import cfg
from oslo_middleware import sizelimit

from nova_cells.api import faults
from nova_cells.domain import errors

TYPES = ("application/json", "application/vnd.openstack.compute+json")
DEPTH = 64


def limit(conf: cfg.ConfigOpts) -> int:
    """[oslo_middleware] max_request_body_size, in bytes."""
    conf.register_opts(sizelimit.OPTS, group="oslo_middleware")
    return conf.oslo_middleware.max_request_body_size


def read(environ: dict[str, typing.Any], most: int) -> typing.Any:
    """The value of the body; None if there is none."""
    data = _bytes(environ, most)
    if not data:
        return None
    kind = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if kind in ("", "text/plain"):
        return None                      # as if nothing had been sent: the shape will say so
    if kind not in TYPES:
        raise faults.WrongMedia(f"Unsupported Content-Type {kind[:64]}")
    return parse(data)


def _bytes(environ: dict[str, typing.Any], most: int) -> bytes:
    stream = environ.get("wsgi.input")
    length = environ.get("CONTENT_LENGTH") or ""
    if length:
        if not length.isascii() or not length.isdigit():
            raise errors.Invalid("Content-Length is not a number.")
        if int(length) > most:
            raise faults.TooLarge("Request is too large.")
        return stream.read(int(length))
    chunked = "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()
    if stream is None or not (chunked or environ.get("wsgi.input_terminated")):
        return b""
    data = stream.read(most + 1)
    if len(data) > most:
        raise faults.TooLarge("Request is too large.")
    return data


def parse(data: bytes) -> typing.Any:
    """The value of JSON text.  Raises ``Invalid``."""
    try:
        value = orjson.loads(data)
        plain = json.loads(data, object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, _Twice) else "cannot understand JSON"
        raise errors.Invalid(f"Malformed request body: {reason}") from None
    _inspect(plain, 0)
    return value


class _Twice(ValueError):
    """A key stands twice in one object."""


def _once(pairs: list[tuple[str, typing.Any]]) -> dict[str, typing.Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise _Twice("a key stands twice in one object")
    return members


def _refuse(word: str) -> typing.NoReturn:
    raise ValueError(word)


def _inspect(value: typing.Any, depth: int) -> None:
    if depth > DEPTH:
        raise errors.Invalid("Malformed request body: nested too deeply")
    if isinstance(value, str) and "\0" in value:
        raise errors.Invalid("Malformed request body: text holds a NUL character")
    if isinstance(value, dict):
        for key, inner in value.items():
            _inspect(key, depth)
            _inspect(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _inspect(inner, depth + 1)
