# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Who asks, and what log lines say of the work: ids and names, never what a message carries."""

import io
import json
import logging

import msgspec
import testtools
from oslo_context import context as oslo_context
from oslo_log import formatters

from nova_cells import conf, context
from nova_cells.domain import boot, commands, tasks
from tests.unit.conductor import base


class ContextTest(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.asker = oslo_context.RequestContext(
            user_id="u", project_id="p", auth_token="s3cret", request_id="req-1", is_admin=True)

    def test_what_a_child_may_know(self):
        origin = context.origin(self.asker)
        self.assertEqual(("req-1", "u", "p", True), (
            origin.request_id, origin.user_id, origin.project_id, origin.admin))
        self.assertNotIn(b"s3cret", msgspec.json.encode(origin))

    def test_policy_decides_who_is_an_admin(self):
        self.assertFalse(context.origin(self.asker, admin=False).admin)


TASK = tasks.Task(
    server="s1", epoch=1, ticket=2, verb="boot", record=base.server("s1"), request_id="req-t",
    request=boot.BootRequest(), secrets=boot.Sealed(once="s3cret", user_data="s3cret"))
PLACE = context.Place.named("agent cell1/h1")


class Ids(testtools.TestCase):
    def test_of_a_task(self):
        self.assertEqual("req-t", context.request_of(TASK))

    def test_of_a_command(self):
        self.assertEqual("req-c", context.request_of(commands.ReadConsole(
            op="o", server="s", epoch=1, origin=commands.Origin(request_id="req-c"))))

    def test_of_what_nobody_asked_for(self):
        self.assertEqual("", context.request_of(commands.ReadDigests()))
        self.assertEqual("", context.request_of(None))

    def test_of_a_runner(self):
        self.assertEqual(("compute", "cell1", "h1"), PLACE)
        self.assertEqual(("conductor", "cell1", ""), context.Place.named("conductor cell1"))
        self.assertEqual(("collector", "", ""), context.Place.named("collector"))


class Lines(testtools.TestCase):
    """What is written, by oslo.log's own formatters with our filter."""

    def setUp(self):
        super().setUp()
        self.addCleanup(context.end, oslo_context.get_current())
        self.conf = conf.new()
        self.conf.set_default("logging_context_format_string", context.FORMAT)
        self.log = logging.Logger("nova_cells.test", logging.DEBUG)
        context.end()

    def line(self, message, *args, json_lines=False):
        stream = io.StringIO()
        handler = logging.StreamHandler(stream)
        handler.setFormatter(formatters.JSONFormatter() if json_lines
                             else formatters.ContextFormatter(config=self.conf))
        handler.addFilter(context._place)
        self.log.addHandler(handler)
        self.log.info(message, *args)
        self.log.removeHandler(handler)
        return stream.getvalue().strip()

    def test_a_message(self):
        context.begin(PLACE, TASK)
        line = self.line("defined")
        self.assertIn("[req-t compute cell=cell1 host=h1 server=s1 verb=boot version=0] defined",
                      line)
        self.assertNotIn("s3cret", line)

    def test_a_line_that_names_its_server_names_it_once(self):
        context.begin(PLACE, TASK)
        self.assertEqual(1, self.line("server=%s is there", "s1").count("server=s1"))

    def test_as_json(self):
        context.begin(PLACE, TASK)
        said = json.loads(self.line("defined", json_lines=True))
        self.assertEqual("defined", said["message"])
        self.assertEqual(
            {"request_id": "req-t", "service": "compute", "cell": "cell1", "host": "h1",
             "server": "s1", "verb": "boot", "version": 0}, said["context"])

    def test_nobody_asked(self):
        context.begin(context.Place.named("conductor cell1"), commands.ReadDigests())
        self.assertIn("[- conductor cell=cell1", self.line("told"))

    def test_outside_of_any_work(self):
        self.assertIn("[- -", self.line("up"))

    def test_what_was_before_comes_back(self):
        context.begin(PLACE, TASK)
        before = context.begin(context.Place.named("conductor cell1"), commands.ReadDigests())
        context.end(before)
        self.assertIn("[req-t compute", self.line("on"))
        context.end()
        self.assertNotIn("req-t", self.line("after"))

    def test_taken_up_again(self):
        context.begin(context.Place.named("conductor cell1"), commands.ReadDigests())
        with context.on_behalf("req-old", server="s9", verb="stop"):
            self.assertRegex(self.line("again"),
                             r"\[req-old conductor cell=cell1.* server=s9 verb=stop\] again")
        self.assertIn("[- conductor", self.line("on"))

    def test_the_asker_without_the_token(self):
        asker = context.Asker(user_id="u", project_id="p", auth_token="s3cret", roles=["r0le"],
                              request_id="req-a")
        line = self.line("asked", json_lines=True)
        self.assertEqual("req-a", json.loads(line)["context"]["request_id"])
        self.assertEqual("u", json.loads(line)["context"]["user_id"])
        self.assertNotIn("s3cret", line)
        self.assertEqual("s3cret", asker.auth_token)

    def test_the_context_of_a_library(self):
        oslo_context.RequestContext(request_id="req-l", auth_token="s3cret")
        self.assertIn("[req-l", self.line("asked"))
        self.assertNotIn("s3cret", self.line("asked", json_lines=True))
