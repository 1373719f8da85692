# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What the openstack client needs besides compute, when there is no identity and no image service.

Only for noauth2, which lets everybody in and is served on loopback alone: an identity that gives
whoever asks the token ``user:project`` that noauth2 believes, with a catalogue, and a list of the
mock images.  Nothing is stored and nothing is checked; the user ``admin`` is an admin.
"""

import json
import re
import typing
import urllib.parse

from nova_cells.domain import errors

Start = typing.Callable[[str, list[tuple[str, str]]], object]

_TOKEN = {"methods": ["password"], "expires_at": "2099-01-01T00:00:00.000000Z",
          "issued_at": "2020-01-01T00:00:00.000000Z"}


class Laptop:
    """In front of the API: /identity and /image are answered here, all else by the API."""

    def __init__(self, application: typing.Callable, images: typing.Any) -> None:
        self._application = application
        self._images = images

    def __call__(self, environ: dict, start: Start) -> typing.Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if not path.startswith(("/identity", "/image")):
            return self._application(environ, start)
        base = f"{environ['wsgi.url_scheme']}://{environ.get('HTTP_HOST', 'localhost')}"
        headers: list[tuple[str, str]] = []
        try:
            status, document = self._answer(environ, path.rstrip("/"), base, headers)
        except (ValueError, KeyError, TypeError, AttributeError):
            status, document = "400 Bad Request", _error(400, "not understood")
        body = json.dumps(document).encode()
        start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body))),
                       *headers])
        return [body]

    def _answer(self, environ: dict, path: str, base: str,
                headers: list[tuple[str, str]]) -> tuple[str, dict]:
        method = environ["REQUEST_METHOD"]
        if path in ("/identity", "/identity/v3") and method == "GET":
            version = _version("v3.14", f"{base}/identity/v3/")
            return "200 OK", {"version": version} if path.endswith("v3") else {
                "versions": {"values": [version]}}
        if path == "/identity/v3/auth/tokens" and method == "POST":
            who = _who(json.loads(_read(environ)))
            headers.append(("X-Subject-Token", f"{who[0]}:{who[1]}"))
            return "201 Created", {"token": _token(*who, base)}
        if path == "/image" and method == "GET":
            return "300 Multiple Choices", {"versions": [_version("v2.9", f"{base}/image/v2/")]}
        found = re.fullmatch(r"/image/v2/images(?:/([^/]+))?", path)
        if found and method == "GET":
            return self._image(environ, found[1])
        return "404 Not Found", _error(404, "Here are only tokens and images: this deployment has "
                                            "no identity service and no image service.")

    def _image(self, environ: dict, wanted: str | None) -> tuple[str, dict]:
        if wanted is None:
            query = urllib.parse.parse_qs(environ.get("QUERY_STRING", ""))
            names = query.get("name")
            return "200 OK", {"images": [_picture(image) for image in self._images.list()
                                         if names is None or image.name in names],
                              "schema": "/v2/schemas/images", "first": "/v2/images"}
        try:
            return "200 OK", _picture(self._images.facts(wanted))
        except errors.NotFound as problem:
            return "404 Not Found", _error(404, str(problem))


def _read(environ: dict) -> bytes:
    return environ["wsgi.input"].read(min(int(environ.get("CONTENT_LENGTH") or 0), 65536))


def _who(document: dict) -> tuple[str, str]:
    """User and project of a request for a token; their names are their ids."""
    auth = document["auth"]
    identity = auth["identity"]
    if "password" in identity:
        user = identity["password"]["user"]
        user = user.get("name") or user["id"]
    else:
        user = identity["token"]["id"].partition(":")[0]
    scope = auth.get("scope") or {}
    project = (scope.get("project") if isinstance(scope, dict) else None) or {}
    project = project.get("name") or project.get("id") or user
    for name in (user, project):
        if not re.fullmatch(r"[A-Za-z0-9_.@-]{1,64}", name):
            raise ValueError(name)
    return user, project


def _token(user: str, project: str, base: str) -> dict:
    domain = {"id": "default", "name": "Default"}
    roles = ["admin", "member", "reader"] if user == "admin" else ["member", "reader"]
    return {**_TOKEN, "user": {"id": user, "name": user, "domain": domain},
            "project": {"id": project, "name": project, "domain": domain},
            "roles": [{"id": role, "name": role} for role in roles],
            "catalog": [_service("compute", "nova", f"{base}/v2.1"),
                        _service("image", "glance", f"{base}/image"),
                        _service("identity", "keystone", f"{base}/identity")]}


def _service(kind: str, name: str, url: str) -> dict:
    return {"id": name, "type": kind, "name": name, "endpoints": [
        {"id": f"{name}-{interface}", "interface": interface, "region": "RegionOne",
         "region_id": "RegionOne", "url": url} for interface in ("public", "internal", "admin")]}


def _version(name: str, url: str) -> dict:
    return {"id": name, "status": "stable" if name.startswith("v3") else "CURRENT",
            "updated": "2020-04-07T00:00:00Z", "links": [{"rel": "self", "href": url}],
            "media-types": []}


def _picture(image: typing.Any) -> dict:
    return {"id": image.id, "name": image.name, "status": "active", "visibility": "public",
            "disk_format": image.disk_format, "container_format": "bare", "size": image.size,
            "min_disk": 0, "min_ram": 0, "protected": False, "tags": [], "owner": "admin",
            "created_at": "2020-01-01T00:00:00Z", "updated_at": "2020-01-01T00:00:00Z",
            "file": f"/v2/images/{image.id}/file", "schema": "/v2/schemas/image"}


def _error(code: int, message: str) -> dict:
    return {"error": {"code": code, "message": message, "title": "Not here"}}
