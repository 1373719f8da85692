# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Discovery: which versions of the API there are.  Needs no token.

Source: the public api-ref, "API versions".
"""

import typing

import orjson
import webob

from nova_cells.api import faults, microversion

_TYPE = "application/vnd.openstack.compute+json;version=2.1"
_MEDIA = [{"base": "application/json", "type": _TYPE}]
_KNOWN = (
    {"id": "v2.0", "status": "SUPPORTED", "version": "", "min_version": "",
     "updated": "2011-01-21T11:33:21Z"},
    {"id": "v2.1", "status": "CURRENT", "version": microversion.text(microversion.MAX),
     "min_version": microversion.text(microversion.MIN), "updated": "2013-07-23T11:33:21Z"},
)
_PATHS = {"v2.0": "v2", "v2.1": "v2.1"}


class Application:
    """Answers ``/``, ``/v2/`` and ``/v2.1/``; anything else is a choice of versions."""

    def __init__(self, services: typing.Any) -> None:
        self._services = services

    def __call__(self, environ: dict, start_response: typing.Callable) -> list[bytes]:
        http = webob.Request(environ)
        base = (self._services.conf.api.compute_link_prefix or http.application_url).rstrip("/")
        status, body = self._answer(http, base)
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        start_response(webob.Response(status=status).status,
                       [("Content-Type", "application/json"), ("Content-Length", str(len(data))),
                        ("Vary", f"{microversion.HEADER}, {microversion.LEGACY_HEADER}")])
        return [data]

    def _answer(self, http: webob.Request, base: str) -> tuple[int, typing.Any]:
        if http.method not in ("GET", "HEAD"):
            return 404, faults.body(404, "The resource could not be found.")
        path = http.path_info.strip("/")
        if not path or path == "versions":
            return 200, {"versions": [_entry(known, base) for known in _KNOWN]}
        for known in _KNOWN:
            if path in (_PATHS[known["id"]], f"versions/{known['id']}"):
                return 200, {"version": _detail(known, base)}
        return 300, {"choices": [_choice(known, base, path) for known in _KNOWN]}


def _self(known: dict, base: str, path: str = "") -> dict:
    return {"rel": "self", "href": f"{base}/{_PATHS[known['id']]}/{path}"}


def _entry(known: dict, base: str) -> dict:
    return {**known, "links": [_self(known, base)]}


def _detail(known: dict, base: str) -> dict:
    docs = {"rel": "describedby", "type": "text/html", "href": "http://docs.openstack.org/"}
    return {**known, "links": [_self(known, base), docs], "media-types": _media(known)}


def _media(known: dict) -> list[dict]:
    return [{**kind, "type": kind["type"].replace("2.1", known["id"][1:].replace("2.0", "2"))}
            for kind in _MEDIA]


def _choice(known: dict, base: str, path: str) -> dict:
    return {"id": known["id"], "status": known["status"], "links": [_self(known, base, path)],
            "media-types": _media(known)}
