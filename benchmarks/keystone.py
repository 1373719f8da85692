# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A stand-in for Keystone on loopback: it says whose a token is, and nothing else.

keystonemiddleware speaks to it over HTTP as to the real one.  The answers have the form and
about the size of real ones.  Tests and benchmarks decide which tokens there are.
"""

import contextlib
import datetime
import http.server
import json
import threading
import time
import typing

_SERVICES = ("identity", "compute", "image", "network", "volumev3", "placement")


def body(user: str, project: str | None, roles: typing.Iterable[str], seconds: float = 3600,
         **more: typing.Any) -> dict[str, typing.Any]:
    """What Keystone says about a token that ends in so many seconds."""
    end = datetime.datetime.fromtimestamp(time.time() + seconds, datetime.UTC)
    domain = {"id": "default", "name": "Default"}
    said: dict[str, typing.Any] = {
        "methods": ["password"], "audit_ids": ["3T2dc1CGQxyJsHdDu1xkcw"],
        "user": {"id": user, "name": user, "domain": domain, "password_expires_at": None},
        "roles": [{"id": f"role-{name}", "name": name} for name in roles],
        "is_domain": False, "issued_at": "2026-01-01T00:00:00.000000Z",
        "expires_at": end.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "catalog": [{"id": f"service-{name}", "type": name, "name": name, "endpoints": [
            {"id": f"{name}-{interface}", "interface": interface, "region": "RegionOne",
             "region_id": "RegionOne", "url": f"http://127.0.0.1/{name}"}
            for interface in ("public", "internal", "admin")]} for name in _SERVICES], **more}
    if project is not None:
        said["project"] = {"id": project, "name": project, "domain": domain}
    return {"token": said}


class Keystone:
    """``tokens``: by token, what is said about it.  ``asked``: how often, by token."""

    def __init__(self) -> None:
        self.tokens: dict[str, dict[str, typing.Any]] = {}
        self.asked: list[str] = []
        self.broken = False
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                status, said = outer.answer(self.path, self.headers.get("X-Subject-Token"))
                text = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_words: typing.Any) -> None:
                """Nobody reads it."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v3"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,),
                                        daemon=True)
        self._thread.start()

    def answer(self, path: str, token: str | None) -> tuple[int, dict[str, typing.Any]]:
        """What a GET is answered."""
        if not path.startswith("/v3/auth/tokens"):
            version = {"id": "v3.14", "status": "stable", "links": [
                {"rel": "self", "href": self.url}]}
            return (200, {"version": version}) if path.startswith("/v3") else (
                300, {"versions": {"values": [version]}})
        self.asked.append(str(token))
        if self.broken:
            return 500, {"error": {"code": 500, "message": "broken"}}
        known = self.tokens.get(str(token))
        return (200, known) if known else (404, {"error": {"code": 404, "message": "none"}})

    @property
    def settings(self) -> str:
        """The group of a configuration file that leads here."""
        return ("[keystone_authtoken]\n" "auth_type = admin_token\n" f"endpoint = {self.url}\n"
                f"token = service\nwww_authenticate_uri = {self.url}\n")

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextlib.contextmanager
def running() -> typing.Iterator[Keystone]:
    """One, for as long as the block lasts."""
    keystone = Keystone()
    try:
        yield keystone
    finally:
        keystone.close()
