# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Laws of the lifecycle table: nothing in it is unknown to the public API, nothing is missing."""

import hypothesis
import testtools

from nova_cells.api import acting, compute
from nova_cells.compute import verbs
from nova_cells.conductor import changes
from nova_cells.domain import errors, lifecycle
from nova_cells.domain import server as model
from nova_cells.virt import fake
from tests.laws import servers

#: ``OS-EXT-STS:task_state`` of the public API reference and its guide "Server concepts".
TASK_STATES = frozenset("""
    scheduling networking block_device_mapping spawning
    image_snapshot image_snapshot_pending image_pending_upload image_uploading image_backup
    updating_password
    resize_prep resize_migrating resize_migrated resize_finish resize_reverting
    resize_confirming confirming_resize
    reboot_pending reboot_started rebooting reboot_pending_hard reboot_started_hard rebooting_hard
    pausing unpausing suspending resuming powering-off powering-on
    rescuing unrescuing rebuilding rebuild_block_device_mapping rebuild_spawning
    migrating deleting soft-deleting restoring
    shelving shelving_image_pending_upload shelving_image_uploading shelving_offloading unshelving
    """.split())
VM_STATES = frozenset("""active building paused suspended stopped rescued resized soft-delete
    deleted error shelved shelved_offloaded""".split())
STATUSES = frozenset("""ACTIVE BUILD DELETED ERROR HARD_REBOOT MIGRATING PASSWORD PAUSED REBOOT
    REBUILD RESCUE RESIZE REVERT_RESIZE SHELVED SHELVED_OFFLOADED SHUTOFF SOFT_DELETED SUSPENDED
    UNKNOWN VERIFY_RESIZE""".split())

#: What is posted to ``/servers/{id}/action`` and the verbs that it begins; empty: it begins none.
BEGINS = {
    "os-start": "start", "os-stop": "stop", "reboot": "reboot reboot_hard", "pause": "pause",
    "unpause": "unpause", "suspend": "suspend", "resume": "resume", "forceDelete": "delete",
    "restore": "restore", "rebuild": "rebuild", "rescue": "rescue", "unrescue": "unrescue",
    "createImage": "snapshot", "createBackup": "backup", "shelve": "shelve",
    "shelveOffload": "shelve_offload", "unshelve": "unshelve", "resize": "resize",
    "migrate": "migrate", "confirmResize": "confirm_resize", "revertResize": "revert_resize",
    "os-migrateLive": "live_migrate", "evacuate": "evacuate",
    "changePassword": "change_password", "trigger_crash_dump": "crash_dump",
    "lock": "", "unlock": "", "os-getConsoleOutput": "", "os-resetState": "",
}
NO_ACTION = {"boot", "delete", "soft_delete"}    # POST servers, DELETE servers/{id}


class Table(testtools.TestCase):
    def test_every_verb_starts_and_ends_in_a_known_rest(self):
        for verb in lifecycle.VERBS.values():
            ends = {verb.done, verb.failed} - {lifecycle.KEEP}
            self.assertLessEqual(verb.start | ends, lifecycle.RESTS.keys(), verb.name)
            self.assertTrue(verb.start, verb.name)

    def test_nothing_starts_from_deleted(self):
        for verb in lifecycle.VERBS.values():
            self.assertNotIn("deleted", verb.start, verb.name)

    def test_every_verb_that_may_be_interrupted_is_a_verb(self):
        for verb in lifecycle.VERBS.values():
            self.assertLessEqual(verb.over - {"*"}, lifecycle.VERBS.keys(), verb.name)

    def test_every_rest_can_be_reached_and_left(self):
        ends = {verb.done for verb in lifecycle.VERBS.values()} | {"building", "error"}
        self.assertEqual(lifecycle.RESTS.keys(), ends - {lifecycle.KEEP})
        for rest in lifecycle.RESTS.keys() - {"deleted"}:
            self.assertIn(rest, lifecycle.VERBS["delete"].start)

    def test_words_are_those_of_the_public_api(self):
        self.assertLessEqual(set(lifecycle.RESTS.values()), VM_STATES)
        for verb in lifecycle.VERBS.values():
            self.assertLessEqual(set(verb.phases), TASK_STATES, verb.name)
        self.assertLessEqual(set(lifecycle._STATUS.values()), STATUSES)
        self.assertLessEqual(set(lifecycle._WORKING.values()), STATUSES)
        self.assertEqual(lifecycle.RESTS.keys(), lifecycle._STATUS.keys())

    def test_shown_work_is_of_verbs_that_may_start_there(self):
        self.assertEqual(lifecycle._WORKING.keys(), lifecycle._SHOWS_WORK.keys())
        for verb, rests in lifecycle._SHOWS_WORK.items():
            self.assertLessEqual(set(rests), lifecycle.VERBS[verb].start, verb)

    def test_power_is_what_the_driver_shows(self):
        for verb in lifecycle.VERBS.values():
            if verb.power is not None and verb.done in lifecycle.POWER:
                self.assertEqual(lifecycle.POWER[verb.done], verb.power, verb.name)

    def test_every_limit_is_sane(self):
        for verb in lifecycle.VERBS.values():
            self.assertTrue(60 <= verb.limit <= 7200, verb.name)

    def test_every_event_is_named_as_the_api_names_it(self):
        for verb in lifecycle.VERBS.values():
            self.assertRegex(verb.event, "^compute_[a-z_]+$", verb.name)
        self.assertEqual("compute_stop_instance", lifecycle.VERBS["stop"].event)
        self.assertEqual("compute_terminate_instance", lifecycle.VERBS["delete"].event)

    def test_names_stand_once(self):
        row = lifecycle.row("stop", "powering-off", "active", "stopped", "=")
        self.assertRaises(errors.Bug, lifecycle.table, row, row)


class Coverage(testtools.TestCase):
    def collected(self):
        return [action for action in compute.actions()
                if action.path == acting.PATH and not action.gone]

    def test_every_action_of_the_catalogue_is_a_verb_or_known_to_be_none(self):
        console = {"os-getVNCConsole", "os-getSPICEConsole", "os-getRDPConsole",
                   "os-getSerialConsole"}
        ports = {"addFixedIp", "removeFixedIp", "addSecurityGroup", "removeSecurityGroup",
                 "addFloatingIp", "removeFloatingIp"}
        gone = {"resetNetwork", "injectNetworkInfo"}
        known = BEGINS.keys() | console | ports | gone
        unknown = {action.key for action in self.collected()} - known
        self.assertEqual(set(), unknown)

    def test_every_verb_is_begun_by_some_request(self):
        begun = {verb for verbs_ in BEGINS.values() for verb in verbs_.split()} | NO_ACTION
        self.assertEqual(lifecycle.VERBS.keys(), begun)
        keys = {action.key for action in self.collected()}
        self.assertLessEqual(BEGINS.keys(), keys)

    def test_what_a_driver_offers_an_agent_can_do(self):
        doable = verbs.MOVES.keys() | verbs.WORKS.keys() | {"delete"}
        offered = fake.FakeDriver.capabilities
        self.assertLessEqual({verb.name for verb in lifecycle.VERBS.values()
                              if verb.capability in offered}, doable)
        self.assertLessEqual(doable, lifecycle.VERBS.keys())

    def test_what_may_be_updated_is_a_field_of_the_record(self):
        self.assertLessEqual(set(changes.UPDATABLE), set(model.Server.__struct_fields__))


class Projections(testtools.TestCase):
    @hypothesis.given(servers.servers())
    def test_they_are_total(self, server):
        self.assertIn(lifecycle.vm_state(server), VM_STATES)
        self.assertIn(lifecycle.status(server), STATUSES)
        task = lifecycle.task_state(server)
        self.assertTrue(task is None or task in TASK_STATES)
        self.assertEqual(server.verb is None or not lifecycle.VERBS[server.verb].phases,
                         task is None)
        self.assertIn(server.uuid, lifecycle.busy(server, "stop"))
