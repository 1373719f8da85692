# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What is posted to a server, its metadata, and what was asked of it."""

from nova_cells.domain import commands
from tests.rest import base


class Actions(base.RestCase):
    def state(self, uuid):
        return self.ask("GET", f"/servers/{uuid}").json["server"]["OS-EXT-STS:vm_state"]

    def test_verbs(self):
        uuid = self.create()
        for key, value, state in (
                ("os-stop", None, "stopped"), ("os-start", None, "active"),
                ("reboot", {"type": "SOFT"}, "active"), ("reboot", {"type": "Hard"}, "active"),
                ("pause", None, "paused"), ("unpause", None, "active"),
                ("suspend", None, "suspended"), ("resume", None, "active")):
            answer = self.act(uuid, key, value)
            self.assertEqual((202, ""), (answer.status, answer.text), key)
            self.assertEqual(state, self.state(uuid), key)          # read your writes (T3)
        self.assertEqual(["start", "stop"], sorted({
            call.verb for call in self.child.calls if isinstance(call, commands.Act)}
            & {"start", "stop"}))

    def test_a_verb_that_the_state_forbids(self):
        uuid = self.create()
        answer = self.act(uuid, "os-start")
        self.assertEqual((409, f"Cannot 'start' instance {uuid} while it is in vm_state active"),
                         (answer.status, answer.message))
        waiting = self.create(run=False)
        answer = self.act(waiting, "os-stop")
        self.assertEqual(
            (409, f"Cannot 'stop' instance {waiting} while it is in vm_state building"),
            (answer.status, answer.message))
        self.act(waiting, "os-resetState", {"state": "error"}, token=base.ADMIN)
        for key, words in (("os-stop", "is not ready"),
                           ("rebuild", "is in an invalid state for 'rebuild'")):
            value = {"imageRef": base.PICTURE} if key == "rebuild" else None
            answer = self.act(waiting, key, value)
            self.assertEqual((409, f"Instance {waiting} {words}"),
                             (answer.status, answer.message))

    def test_who_asked_travels_with_the_command(self):
        uuid = self.create()
        answer = self.act(uuid, "os-stop")
        origin = self.child.calls[-1].origin
        self.assertEqual(("ann", "apples", False, answer.headers["x-openstack-request-id"]),
                         (origin.user_id, origin.project_id, origin.admin, origin.request_id))
        self.assertNotIn("token", str(self.child.calls[-1]).lower())

    def test_lock(self):
        uuid = self.create()
        self.assertEqual(202, self.act(uuid, "lock").status)
        for answer in (self.act(uuid, "os-stop"), self.ask("DELETE", f"/servers/{uuid}"),
                       self.act(uuid, "forceDelete"),
                       self.ask("POST", f"/servers/{uuid}/metadata", {"metadata": {"a": "b"}})):
            self.assertEqual((409, f"Instance {uuid} is locked"), (answer.status, answer.message))
        self.assertEqual(202, self.act(uuid, "os-stop", token=base.ADMIN).status)
        self.assertEqual(202, self.act(uuid, "unlock").status)
        self.assertEqual(202, self.act(uuid, "os-start").status)

    def test_lock_with_a_reason_from_2_73(self):
        uuid = self.create()
        self.assertEqual(400, self.act(uuid, "lock", {"reason": "x"}, version="2.73").status)
        self.assertEqual(202, self.act(uuid, "lock", {"locked_reason": "why"},
                                       version="2.73").status)
        shown = self.ask("GET", f"/servers/{uuid}", version="2.73").json["server"]
        self.assertEqual((True, "why"), (shown["locked"], shown["locked_reason"]))

    def test_who_locked_it_decides_who_unlocks_it(self):
        uuid = self.create()
        self.act(uuid, "lock", {"locked_reason": "mine"}, version="2.73")
        self.act(uuid, "lock", {"locked_reason": "again"}, version="2.73")
        record = self.child.records[uuid]
        self.assertEqual(("owner", "mine"), (record.locked_by, record.locked_reason))
        self.act(uuid, "lock", token=base.ADMIN)
        record = self.child.records[uuid]
        self.assertEqual(("admin", "mine"), (record.locked_by, record.locked_reason))
        answer = self.act(uuid, "unlock")
        self.assertEqual(403, answer.status)
        self.assertIn("os-lock-server:unlock:unlock_override", answer.message)
        self.assertEqual(202, self.act(uuid, "unlock", token=base.ADMIN).status)
        self.assertIsNone(self.child.records[uuid].locked_by)

    def test_nothing_is_injected_into_a_guest_and_the_request_is_taken(self):
        uuid = self.create()
        self.assertEqual(403, self.act(uuid, "injectNetworkInfo").status)
        self.assertEqual(202, self.act(uuid, "injectNetworkInfo", token=base.ADMIN).status)

    def test_console_output(self):
        uuid = self.create()
        for value, text in (({}, "line 1\nline 2\nline 3\n"), ({"length": 1}, ""),
                            ({"length": "2"}, "line 3\n"), ({"length": 0}, ""),
                            ({"length": -1}, "line 1\nline 2\nline 3\n"),
                            ({"length": None}, "line 1\nline 2\nline 3\n")):
            answer = self.act(uuid, "os-getConsoleOutput", value)
            self.assertEqual((200, {"output": text}), (answer.status, answer.json), value)
        for value in ({"length": "x"}, {"length": -2}, {"lines": 1}, None):
            self.assertEqual(400, self.act(uuid, "os-getConsoleOutput", value).status, value)

    def test_reset_state_is_for_admins(self):
        uuid = self.create()
        self.assertEqual(403, self.act(uuid, "os-resetState", {"state": "error"}).status)
        self.assertEqual(202, self.act(uuid, "os-resetState", {"state": "error"},
                                       token=base.ADMIN).status)
        self.assertEqual("error", self.state(uuid))
        self.assertEqual(400, self.act(uuid, "os-resetState", {"state": "gone"},
                                       token=base.ADMIN).status)

    def test_reset_state_of_a_server_that_is_in_no_cell(self):
        uuid = self.create(run=False)
        answer = self.act(uuid, "os-resetState", {"state": "active"}, token=base.ADMIN)
        self.assertEqual((409, True), (answer.status, "reset to error" in answer.message))
        self.assertEqual(202, self.act(uuid, "os-resetState", {"state": "error"},
                                       token=base.ADMIN).status)
        shown = self.ask("GET", f"/servers/{uuid}").json["server"]
        self.assertEqual(("ERROR", None), (shown["status"], shown["OS-EXT-STS:task_state"]))
        self.assertEqual(204, self.ask("DELETE", f"/servers/{uuid}").status)

    def test_what_the_state_forbids_is_a_conflict_whoever_could_do_it(self):
        uuid = self.create()
        for key, value in (("restore", None), ("unshelve", None), ("confirmResize", None),
                           ("revertResize", None), ("unrescue", None)):
            answer = self.act(uuid, key, value)
            self.assertEqual(409, answer.status, (key, answer.text))
            self.assertIn("vm_state active", answer.message)

    def test_force_delete(self):
        uuid = self.create()
        self.assertEqual(202, self.act(uuid, "forceDelete").status)
        self.assertEqual(404, self.ask("GET", f"/servers/{uuid}").status)

    def test_what_nothing_serves_yet_is_checked_first(self):
        uuid, missing = self.create(), "5f8a1c5e-0000-4000-8000-00000000dead"
        self.assertEqual(404, self.act(missing, "resize", {"flavorRef": "1"}).status)
        self.assertEqual(400, self.act(uuid, "resize", {"flavorRef": "none-such"}).status)
        self.assertEqual(400, self.act(uuid, "resize", {"flavorRef": ""}).status)
        self.assertEqual(400, self.act(uuid, "resize", {"flavorRef": "1"}).status)
        self.assertEqual(403, self.act(uuid, "migrate").status)
        self.act(uuid, "lock")
        self.assertEqual(409, self.act(uuid, "shelve").status)

    def test_windows(self):
        uuid = self.create()
        for key, value, below, above in (
                ("addFixedIp", {"networkId": "n"}, ("2.43", 501), ("2.44", 404)),
                ("trigger_crash_dump", None, ("2.16", 404), ("2.17", 202)),
                ("os-getVNCConsole", {"type": "novnc"}, ("2.5", 200), ("2.6", 404))):
            for version, status in (below, above):
                self.assertEqual(status, self.act(uuid, key, value, version=version).status,
                                 (key, version))

    def test_keys(self):
        uuid = self.create()
        for body in ({}, {"fly": None}, [], "os-start", None, {"os-start": None, "os-stop": None}):
            answer = self.ask("POST", f"/servers/{uuid}/action", raw=b"" if body is None else None,
                              body=body)
            self.assertEqual(400, answer.status, body)
        self.assertEqual(410, self.act(uuid, "resetNetwork").status)


class Metadata(base.RestCase):
    def ask_for(self, method, path="", body=None, **more):
        return self.ask(method, f"/servers/{self.uuid}/metadata{path}", body, **more)

    def setUp(self):
        super().setUp()
        self.uuid = self.create(metadata={"a": "1", "b": "2"})

    def test_all_of_it(self):
        self.assertEqual({"metadata": {"a": "1", "b": "2"}}, self.ask_for("GET").json)
        merged = self.ask_for("POST", body={"metadata": {"b": "3", "c": "4"}})
        self.assertEqual((200, {"metadata": {"a": "1", "b": "3", "c": "4"}}),
                         (merged.status, merged.json))
        self.assertEqual({"metadata": {"z": ""}},
                         self.ask_for("PUT", body={"metadata": {"z": ""}}).json)
        self.assertEqual({"metadata": {"z": ""}}, self.ask_for("GET").json)

    def test_one_item(self):
        self.assertEqual({"meta": {"a": "1"}}, self.ask_for("GET", "/a").json)
        self.assertEqual({"meta": {"a": "9"}},
                         self.ask_for("PUT", "/a", {"meta": {"a": "9"}}).json)
        self.assertEqual(204, self.ask_for("DELETE", "/a").status)
        for method in ("GET", "DELETE"):
            answer = self.ask_for(method, "/a")
            self.assertEqual((404, "Metadata item was not found"),
                             (answer.status, answer.message))

    def test_what_cannot_be(self):
        for method, path, body in (
                ("PUT", "/a", {"meta": {"b": "1"}}), ("PUT", "/a", {"meta": {}}),
                ("PUT", "/a", {"meta": {"a": "1", "b": "2"}}), ("PUT", "/a", {"a": "1"}),
                ("POST", "", {"metadata": {"": "x"}}), ("POST", "", {"metadata": {"k": 1}}),
                ("POST", "", {"metadata": {"k" * 256: "x"}}),
                ("POST", "", {"metadata": {"k": "x" * 256}}), ("POST", "", {"metadata": None}),
                ("PUT", "", {"metadata": {"ключ": "x"}}), ("PUT", "", {})):
            self.assertEqual(400, self.ask_for(method, path, body).status, (method, body))

    def test_more_than_the_quota(self):
        answer = self.ask_for("POST", body={"metadata": {str(n): "x" for n in range(4)}})
        self.assertEqual((403, "Maximum number of metadata items exceeds 5"),
                         (answer.status, answer.message))
        self.assertEqual({"metadata": {"a": "1", "b": "2"}}, self.ask_for("GET").json)

    def test_before_it_is_placed(self):
        self.uuid = self.create(run=False, metadata={"a": "1"})
        self.assertEqual(200, self.ask_for("POST", body={"metadata": {"b": "2"}}).status)
        self.assertEqual({"metadata": {"a": "1", "b": "2"}}, self.ask_for("GET").json)


class History(base.RestCase):
    def record(self, uuid, number, **fields):
        record = commands.ActionRecord(
            uuid=f"{number:08x}-0000-4000-8000-000000000000", server=uuid, epoch=1, version=1,
            action="stop", request_id=f"req-{number}", user_id="ann", project_id="apples",
            start=1_700_000_100.0 + number, updated=1_700_000_100.5 + number, **fields)
        with self.view.write() as tx:
            self.view.records.keep_action(tx, record, 1)

    def test_list_and_show(self):
        uuid = self.create()
        self.record(uuid, 1, events=(commands.Event(
            name="compute_stop_instance", start=1.7e9, finish=1.7e9, result="Success",
            host="node-1", details="d"),))
        listed = self.ask("GET", f"/servers/{uuid}/os-instance-actions").json["instanceActions"]
        self.assertEqual(["stop", "create"], [one["action"] for one in listed])
        path = f"/servers/{uuid}/os-instance-actions/req-1"
        self.assertNotIn("events", self.ask("GET", path).json["instanceAction"])
        for version, token, keys in (
                ("2.1", base.ADMIN, {"traceback"}), ("2.51", base.MEMBER, set()),
                ("2.62", base.MEMBER, {"hostId"}),
                ("2.84", base.ADMIN, {"traceback", "hostId", "host", "details"})):
            event = self.ask("GET", path, version=version,
                             token=token).json["instanceAction"]["events"][0]
            self.assertEqual({"event", "start_time", "finish_time", "result"} | keys, set(event))
        self.assertEqual(404, self.ask("GET", path + "x").status)

    def test_pages_from_2_58(self):
        uuid = self.create()
        for number in range(1, 5):
            self.record(uuid, number)
        path = f"/servers/{uuid}/os-instance-actions"
        first = self.ask("GET", path + "?limit=2", version="2.58").json
        self.assertEqual(["req-4", "req-3"], [one["request_id"]
                                              for one in first["instanceActions"]])
        self.assertIn("marker=req-3", first["links"][0]["href"])
        rest = self.ask("GET", path + "?marker=req-3", version="2.58").json["instanceActions"]
        self.assertEqual(["req-2", "req-1"], [one["request_id"] for one in rest][:2])
        self.assertEqual(400, self.ask("GET", path + "?marker=none", version="2.58").status)
        since = self.ask("GET", path + "?changes-since=2023-11-14T22:15:03Z", version="2.58")
        self.assertEqual(2, len(since.json["instanceActions"]))

    def test_of_a_deleted_server_from_2_21(self):
        uuid = self.create()
        self.ask("DELETE", f"/servers/{uuid}")
        path = f"/servers/{uuid}/os-instance-actions"
        self.assertEqual(404, self.ask("GET", path, version="2.20").status)
        self.assertEqual(200, self.ask("GET", path, version="2.21").status)
