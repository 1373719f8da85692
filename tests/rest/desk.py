# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A desk to ask at: the whole WSGI application over a view of its own, with noauth2.

Tests of resources that live at the top alone: no bus, no images, no child cell.
"""

import json
import uuid

import fixtures
import testtools
import webob
from oslo_config import cfg

from nova_cells import clock
from nova_cells.api import app
from nova_cells.conf import quota as quota_options
from nova_cells.conf import standalone
from nova_cells.db import view

PROJECT = "project-of-member"
TOKENS = {"admin": "admin:project-of-admin", "member": f"member:{PROJECT}",
          "other": "other:project-of-other"}


class Desk(testtools.TestCase):
    """Asks as an admin, at 2.1, unless told otherwise."""

    def setUp(self):
        super().setUp()
        folder = self.useFixture(fixtures.TempDir()).path
        defaults = {opt.name: opt.default for opt in quota_options.OPTS["quota"]}
        self.view = view.View(f"sqlite:///{folder}/view.db", quota_defaults=defaults)
        self.addCleanup(self.view.close)
        self.view.create_tables()
        conf = cfg.ConfigOpts()
        conf.register_opts(standalone.STANDALONE, group="standalone")
        conf([], project="nova-cells", default_config_files=[], default_config_dirs=[])
        app.register(conf)
        conf.set_override("auth_strategy", "noauth2", group="api")
        self.clock = clock.SystemClock()
        self.app = app.loadapp(conf, self.view, None, None, self.clock, clock.RandomIds())

    def now(self):
        return self.clock.time()

    def new_uuid(self):
        return str(uuid.uuid4())

    def ask(self, method, path, body=None, version="2.1", who="admin"):
        """The reply, whatever it is."""
        request = webob.Request.blank(f"/v2.1{path}", method=method)
        request.headers["X-Auth-Token"] = TOKENS[who]
        request.headers["OpenStack-API-Version"] = f"compute {version}"
        if body is not None:
            request.body = json.dumps(body).encode()
            request.content_type = "application/json"
        return request.get_response(self.app)

    def call(self, method, path, body=None, status=None, **how):
        """The reply of a request that must succeed."""
        reply = self.ask(method, path, body, **how)
        wanted = [status] if status else [200]
        self.assertIn(reply.status_int, wanted, reply.body)
        return reply

    def fault(self, status, method, path, body=None, **how):
        """The sentence of a request that must fail with this status."""
        reply = self.ask(method, path, body, **how)
        self.assertEqual(status, reply.status_int, (body, reply.body))
        [fault] = reply.json.values()
        self.assertEqual(status, fault["code"])
        return fault["message"]
