# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What the tests of the commands share: a state directory, and a real process on it."""

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import testtools

from nova_cells.cmd import manage

ENV = {key: value for key, value in os.environ.items() if not key.startswith("OS_")}


class CommandTestCase(testtools.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.addCleanup(folder.cleanup)
        self.state = os.path.join(folder.name, "state")
        self.folder = folder.name

    def file(self, text, name="nova-cells.conf"):
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def command(self, module, *words, timeout=60, **env):
        """(exit code, stdout, stderr) of a command to its end."""
        run = subprocess.run([sys.executable, "-m", f"nova_cells.cmd.{module}", *words],
                             capture_output=True, text=True, timeout=timeout, env={**ENV, **env})
        return run.returncode, run.stdout, run.stderr

    def assertSentence(self, text, *parts):
        """One line on stderr, no traceback, with these words in it."""
        self.assertEqual(1, len(text.splitlines()), text)
        self.assertNotIn("Traceback", text)
        for part in parts:
            self.assertIn(part, text)

    def start(self, *words, **env):
        """A stand-alone process that is up."""
        process = Process([*words, "--virt", "fake", "--state-path", self.state, "--port", "0"],
                          env)
        self.addCleanup(process.kill)
        process.wait_until_up()
        return process

    def run_command(self, *words, main=manage.main):
        """(exit code, stdout, stderr) of an operator's command, in this process."""
        out, error = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
            try:
                code = main(["--state-path", self.state, *words])
            except SystemExit as end:
                code = end.code
        return code, out.getvalue(), error.getvalue()

    def manage(self, *words):
        """What nova-cells-manage prints with -f json."""
        code, out, error = self.run_command(*words, "-f", "json")
        self.assertEqual((0, ""), (code, error))
        return json.loads(out)


class Process:
    """One nova-cells-standalone."""

    def __init__(self, words, env):
        self.output = tempfile.NamedTemporaryFile("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "nova_cells.cmd.standalone", *words], stdout=self.output,
            stderr=subprocess.STDOUT, env={**ENV, **env})
        self.url = ""

    def text(self):
        with open(self.output.name) as file:
            return file.read()

    def wait_until_up(self, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            found = re.search(r"is up after .* s: (http\S+)/v2.1", self.text())
            if found:
                self.url = found[1]
                return
            time.sleep(0.05)
        raise AssertionError(f"not up: {self.text()}")

    def get(self, path, token="admin:demo"):
        """(status, document)."""
        request = urllib.request.Request(self.url + path, headers={"X-Auth-Token": token})
        try:
            with urllib.request.urlopen(request, timeout=20) as reply:
                return reply.status, json.loads(reply.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def kill(self):
        """kill -9"""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)

    def stop(self):
        """SIGTERM: (exit code, seconds)."""
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30), time.monotonic() - begin


def wait_for(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)
    return condition()
