# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Another service over HTTP, as small as can be: collections of documents under one prefix.

``GET /things?name=x``, ``GET /things/ID``, POST, PUT, DELETE; what a test wants refused stands in
``refusals``.
"""

import json
import threading
import urllib.parse
import uuid
import wsgiref.simple_server


class Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_words):
        """Nothing."""


class Neighbour:
    """Serves until ``close``.  ``asked``: (method, path, token) of all that came."""

    def __init__(self, prefix):
        self.things = {}                 # collection -> documents
        self.refusals = {}               # (method, path) -> (status, document)
        self.asked = []
        self._prefix = prefix
        self._server = wsgiref.simple_server.make_server(
            "127.0.0.1", 0, self._serve, handler_class=Quiet)
        self.url = f"http://127.0.0.1:{self._server.server_port}{prefix}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,),
                                        daemon=True)
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(60)

    def _serve(self, environ, start_response):
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"].removeprefix(self._prefix)
        self.asked.append((method, path, environ.get("HTTP_X_AUTH_TOKEN")))
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = json.loads(environ["wsgi.input"].read(length)) if length else None
        query = urllib.parse.parse_qs(environ["QUERY_STRING"])
        status, document = self.refusals.get((method, path)) or self._answer(
            method, path.strip("/").split("/"), query, body)
        text = json.dumps(document).encode() if document is not None else b""
        start_response(f"{status} x", [("Content-Type", "application/json"),
                                       ("Content-Length", str(len(text)))])
        return [text]

    def _answer(self, method, parts, query, body):
        kind = parts[0].replace("-", "_")
        one, known = kind.removesuffix("s"), self.things.setdefault(kind, [])
        if len(parts) == 1 or parts[1] == "detail":
            if method == "POST":
                made = {"id": str(uuid.uuid4()), **self.new(kind, body[one])}
                known.append(made)
                return 201, {one: made}
            return 200, {kind: [thing for thing in known if all(
                str(thing.get(name)) in values for name, values in query.items())]}
        found = [thing for thing in known if thing["id"] == parts[1]]
        if not found:
            return 404, {"NeutronError": {"message": f"{parts[1]} not there"}}
        if method == "DELETE":
            known.remove(found[0])
            return 204, None
        if method == "PUT":
            found[0].update(body[one])
        return 200, {one: found[0]}

    def new(self, _kind, given):
        """What a document has beside what was given."""
        return given
