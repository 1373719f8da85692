# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The port: what is answered there, who of several has it, under threads and under eventlet."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from unittest import mock

import testtools

from nova_cells import conf, metrics
from nova_cells.metrics import health, server
from tests.servers import process


def ask(port, path, method="GET"):
    """(status, text)."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class Port(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.port = process.free_port()
        self.wrong = {"bus": None}

    def serve(self, port=None):
        told = metrics.serve(
            conf.new(overrides={"metrics": {"port": self.port if port is None else port}}),
            "conductor", {"bus": lambda: self.wrong["bus"]})
        self.addCleanup(told.stop)
        return told

    def test_figures(self):
        self.serve()
        status, text = ask(self.port, "/metrics")
        self.assertEqual(200, status)
        self.assertIn("# TYPE nova_cells_messages_total counter", text)
        self.assertIn("process_resident_memory_bytes", text)

    def test_ready_and_not(self):
        told = self.serve()
        self.assertEqual((200, {"service": "conductor", "ready": True, "wrong": {}}),
                         self.document("/readyz"))
        self.wrong["bus"] = "The bus does not answer."
        self.assertEqual((503, {"service": "conductor", "ready": False,
                                "wrong": {"bus": "The bus does not answer."}}),
                         self.document("/readyz"))
        self.wrong["bus"] = None
        told.stopping()
        self.assertEqual(503, self.document("/readyz")[0])
        self.assertEqual(200, self.document("/healthz")[0])

    def test_alive_and_not(self):
        self.serve()
        self.assertEqual(200, self.document("/healthz")[0])
        self.addCleanup(health.living, self, None)
        health.living(self, lambda: ["the job relay has ended"])
        self.assertEqual((503, {"service": "conductor", "alive": False,
                                "wrong": ["the job relay has ended"]}),
                         self.document("/healthz"))

    def document(self, path):
        status, text = ask(self.port, path)
        return status, json.loads(text)

    def test_nothing_else_is_there(self):
        self.serve()
        self.assertEqual(404, ask(self.port, "/etc/passwd")[0])
        self.assertEqual(501, ask(self.port, "/metrics", "POST")[0])
        self.assertEqual((200, ""), ask(self.port, "/metrics", "HEAD"))

    def test_no_port_no_thread(self):
        told = self.serve(port=0)
        self.assertIsNone(told.port)
        self.assertFalse(told._thread.is_alive())

    def test_the_next_takes_over(self):
        with mock.patch.object(server, "AGAIN", 0.05):
            first, second = self.serve(), self.serve()
            self.assertEqual((self.port, None), (first.port, second.port))
            first.stop()
            end = time.monotonic() + 60
            while second.port is None and time.monotonic() < end:
                time.sleep(0.05)
        self.assertEqual(self.port, second.port)
        self.assertEqual(200, ask(self.port, "/healthz")[0])

    def test_under_eventlet(self):
        program = (
            "import os, sys\n"
            "from nova_cells import metrics, service\n"          # as the daemons do
            "service.choose_backend([], {'NOVA_CELLS_CONCURRENCY_BACKEND': 'eventlet'})\n"
            "from nova_cells import conf\n"
            "import urllib.request\n"
            f"c = conf.new(overrides={{'metrics': {{'port': {self.port}}}}})\n"
            "told = metrics.serve(c, 'compute', {})\n"
            f"reply = urllib.request.urlopen('http://127.0.0.1:{self.port}/readyz', timeout=60)\n"
            "print(reply.read().decode())\n"
            "told.stop()\n")
        run = subprocess.run([sys.executable, "-W", "ignore", "-c", program], text=True,
                             capture_output=True, timeout=120, env=dict(os.environ))
        self.assertEqual(0, run.returncode, run.stderr)
        self.assertIn('"ready": true', run.stdout)
