"""The lifecycle of a server: one row per verb, and the only code that changes its state.

A server is at *rest* or doing one *verb*.  A verb's *ticket* is the (epoch, version) at which
it began; a report with another ticket changes nothing, so an interrupted verb can neither
finish nor fail what interrupted it.  ``vm_state``, ``task_state`` and ``status`` are
projections of the row, never stored apart from it.

Source of the names: the public Compute API reference ("server states", "task states").
"""

import typing

from nova_cells.domain import errors
from nova_cells.domain import server as model

Server = model.Server
replace = model.replace

#: Where a server may come to rest, and the ``vm_state`` that shows it.
RESTS: dict[str, str] = {
    "building": "building",
    "active": "active",
    "stopped": "stopped",
    "paused": "paused",
    "suspended": "suspended",
    "rescued": "rescued",
    "resized": "resized",
    "shelved": "shelved",
    "shelved_offloaded": "shelved_offloaded",
    "error": "error",
    "soft_deleted": "soft-delete",
    "deleted": "deleted",
}

ANY = frozenset(RESTS) - {"deleted"}
KEEP = "="                       # a failed verb leaves the server where it was
NOSTATE, RUNNING, PAUSED, SHUTDOWN, CRASHED, SUSPENDED = 0, 1, 3, 4, 6, 7

#: The power that a guest at this rest should have; None: whatever it has.
POWER: dict[str, int | None] = {
    "active": RUNNING, "stopped": SHUTDOWN, "paused": PAUSED, "suspended": SHUTDOWN,
}


class Verb(model.Value, kw_only=True):
    """One row of the table."""

    name: str
    phases: tuple[str, ...]      # shown as task_state, in order
    start: frozenset[str]        # rests it may start from
    done: str                    # rest when it succeeded
    failed: str                  # rest when it failed, or KEEP
    over: frozenset[str]         # verbs under way that it may interrupt
    capability: str              # what a driver must offer; "" for verbs without a task
    action: str                  # the instance action that users read
    limit: int                   # seconds until the watchdog gives it up
    power: int | None            # power state once done; None: leave as reported
    event: str                   # the step of the action that users read


def _rests(words: str) -> frozenset[str]:
    return ANY if words == "*" else frozenset(words.split())


def row(name: str, phases: str, start: str, done: str, failed: str, *, over: str = "",
        capability: str | None = None, action: str | None = None, limit: int = 600,
        power: int | None = None, event: str | None = None) -> Verb:
    """A row of the table, in words."""
    return Verb(
        name=name, phases=tuple(phases.split()), start=_rests(start), done=done, failed=failed,
        over=frozenset({"*"}) if over == "*" else frozenset(over.split()),
        capability=name if capability is None else capability, action=action or name,
        limit=limit, power=power, event=event or f"compute_{name}_instance")


def table(*rows: Verb) -> dict[str, Verb]:
    """The rows by name; a name may stand once."""
    verbs = {verb.name: verb for verb in rows}
    if len(verbs) != len(rows):
        raise errors.Bug("a verb stands twice in the lifecycle table")
    return verbs


VERBS: dict[str, Verb] = table(
    #   verb             phases, shown as task_state       may start from           done  failed
    row("boot",          "scheduling spawning",            "building",              "active",
        "error", action="create", limit=1800, power=RUNNING,
        event="compute__do_build_and_run_instance"),
    row("delete",        "deleting",                       "*",                     "deleted",
        "error", over="*", power=NOSTATE, event="compute_terminate_instance"),
    row("soft_delete",   "soft-deleting",
        "active stopped paused suspended rescued error",   "soft_deleted",
        "error", over="start stop reboot reboot_hard pause unpause suspend resume rebuild rescue "
        "unrescue change_password crash_dump snapshot backup", capability="stop", action="delete",
        power=SHUTDOWN),
    row("restore",       "restoring",                      "soft_deleted",          "active",
        "error", capability="start", power=RUNNING),
    row("start",         "powering-on",                    "stopped",               "active",
        KEEP, power=RUNNING),
    row("stop",          "powering-off",                   "active error",          "stopped",
        KEEP, power=SHUTDOWN),
    row("reboot",        "reboot_started",                 "active",                "active",
        KEEP, power=RUNNING),
    row("reboot_hard",   "reboot_started_hard",
        "active stopped paused suspended error",           "active",                "error",
        over="reboot reboot_hard stop start pause unpause suspend resume", action="reboot",
        power=RUNNING, event="compute_reboot_instance"),
    row("pause",         "pausing",                        "active",                "paused",
        KEEP, power=PAUSED),
    row("unpause",       "unpausing",                      "paused",                "active",
        KEEP, power=RUNNING),
    row("suspend",       "suspending",                     "active",                "suspended",
        KEEP, power=SHUTDOWN),
    row("resume",        "resuming",                       "suspended",             "active",
        "error", power=RUNNING),
    row("rebuild",       "rebuilding rebuild_block_device_mapping rebuild_spawning",
        "active stopped error",                            "active",                "error",
        limit=1800, power=RUNNING),
    row("rescue",        "rescuing",                       "active stopped error",  "rescued",
        "error", power=RUNNING),
    row("unrescue",      "unrescuing",                     "rescued",               "active",
        "error", capability="rescue", power=RUNNING),
    row("snapshot",      "image_snapshot image_pending_upload image_uploading",
        "active stopped paused suspended",                 KEEP,                    KEEP,
        action="createImage", limit=3600),
    row("backup",        "image_backup image_pending_upload image_uploading",
        "active stopped paused suspended",                 KEEP,                    KEEP,
        action="createBackup", limit=3600),
    row("shelve",        "shelving shelving_image_pending_upload shelving_image_uploading",
        "active stopped paused suspended",                 "shelved",               KEEP,
        limit=3600, power=SHUTDOWN),
    row("shelve_offload", "shelving_offloading",           "shelved",    "shelved_offloaded",
        KEEP, action="shelveOffload", power=SHUTDOWN),
    row("unshelve",      "unshelving spawning",            "shelved shelved_offloaded", "active",
        KEEP, limit=1800, power=RUNNING),
    row("resize",        "resize_prep resize_migrating resize_migrated resize_finish",
        "active stopped",                                  "resized",               "error",
        limit=3600, event="compute_finish_resize"),
    row("migrate",       "resize_prep resize_migrating resize_migrated resize_finish",
        "active stopped",                                  "resized",               "error",
        capability="resize", limit=3600, event="compute_finish_resize"),
    row("confirm_resize", "confirming_resize",             "resized",               "active",
        "error", capability="resize", action="confirmResize", event="compute_confirm_resize"),
    row("revert_resize", "resize_reverting",               "resized",               "active",
        "error", capability="resize", action="revertResize", power=RUNNING,
        event="compute_finish_revert_resize"),
    row("live_migrate",  "migrating",                      "active paused",         KEEP,
        KEEP, action="live-migration", limit=7200, event="compute_live_migration"),
    row("evacuate",      "rebuilding rebuild_spawning",    "active stopped error",  "active",
        "error", limit=1800, power=RUNNING, event="compute_rebuild_instance"),
    row("change_password", "updating_password",            "active",                KEEP,
        KEEP, action="changePassword", event="compute_set_admin_password"),
    row("crash_dump",    "",                               "active paused rescued resized error",
        KEEP, KEEP, action="trigger_crash_dump", event="compute_trigger_crash_dump"),
)


class IllegalMove(errors.Conflict):
    """The table has no such move from here."""


def _finished(server: Server, changes: dict[str, typing.Any], now: float) -> Server:
    """One change that anybody could see: the next version."""
    return replace(server, version=server.version + 1, updated_at=now, **changes)


#: What a refusal calls a verb, where that is not its action: the word that was posted.
POSTED = {"live_migrate": "os-migrateLive"}


def busy(server: Server, verb: str) -> str:
    """The sentence that tells why a verb may not begin (wording of the api-ref faults): where the
    server rests counts before what it does."""
    task, action = task_state(server), POSTED.get(verb, VERBS[verb].action)
    if server.rest not in VERBS[verb].start or server.verb is None:
        state = f"vm_state {vm_state(server)}"
    elif task is None:
        return f"Instance {server.uuid} is in an invalid state for '{action}'"
    else:
        state = f"task_state {task}"
    return f"Cannot '{action}' instance {server.uuid} while it is in {state}"


def aside(server: Server) -> bool:
    """Whether it is deleted softly already, or is about to be."""
    return server.verb == "soft_delete" or (server.rest == "soft_deleted" and server.verb is None)


def recoverable(server: Server) -> bool:
    """Whether a delete of it may be a soft one: it ran once, and there is something to restore."""
    verb, doing = VERBS["soft_delete"], server.verb
    return (server.launched_at is not None and server.rest in verb.start
            and (doing is None or doing in verb.over))


def unready(server: Server, verb: str) -> str:
    """Why a verb that the table allows may not begin on a server that has no guest."""
    if server.host is None and verb in ("start", "stop", "crash_dump"):
        return f"Instance {server.uuid} is not ready"
    return f"Instance {server.uuid} is in an invalid state for '{VERBS[verb].action}'"


def begin(server: Server, name: str, now: float, want: dict[str, str] | None = None) -> Server:
    """Start a verb, or refuse.  The new version is the ticket of its tasks and reports."""
    verb = VERBS[name]
    running = server.verb is not None and not (verb.over & {"*", server.verb})
    if server.rest not in verb.start or running:
        raise IllegalMove(busy(server, name))
    if server.verb == name == "delete":
        return server
    return _finished(server, {"verb": name, "phase": 0, "ticket": server.version + 1,
                              "want": want or {}, "progress": 0}, now)


def owns(server: Server, epoch: int, ticket: int) -> bool:
    """Whether a report with this ticket speaks of the verb that is under way."""
    return server.verb is not None and (server.epoch, server.ticket) == (epoch, ticket)


def advance(server: Server, phase: int, now: float, **facts: object) -> Server:
    """Show a later phase of the verb under way; an earlier or equal one changes nothing."""
    if phase <= server.phase:
        return server
    return _finished(server, {"phase": phase, **facts}, now)


def retry(server: Server, now: float, **facts: object) -> Server:
    """Begin the verb under way again with a fresh ticket, as after moving to another host."""
    return _finished(server, {"ticket": server.version + 1, **facts}, now)


def finish(server: Server, now: float, **facts: object) -> Server:
    """End the verb under way where it lands when done."""
    assert server.verb is not None
    verb = VERBS[server.verb]
    rest = server.rest if verb.done == KEEP else verb.done
    changes: dict[str, typing.Any] = {"rest": rest, "verb": None, "phase": 0, "want": {},
                                      "fault": None if rest != "error" else server.fault}
    if verb.power is not None:
        changes["power_state"] = verb.power
    if rest == "deleted":
        changes.update(terminated_at=now, deleted_at=now, host=None, node=None)
    if verb.name in ("boot", "rebuild", "rescue"):
        changes["launched_at"] = now
    if verb.name in ("soft_delete", "restore"):      # from when on it may be reclaimed
        changes["deleted_at"] = now if rest == "soft_deleted" else None
    changes.update(facts)
    return _finished(server, changes, now)


def fail(server: Server, now: float, fault: model.Fault, **facts: object) -> Server:
    """End the verb under way where it lands when failed, and say why.  What was given up already
    stays so: a server in error would count against the quota again (law T11)."""
    assert server.verb is not None
    verb = VERBS[server.verb]
    changes: dict[str, typing.Any] = {"verb": None, "phase": 0, "want": {}}
    if verb.failed != KEEP and not (verb.name == "delete" and server.rest == "soft_deleted"):
        changes.update(rest=verb.failed, fault=fault)
    changes.update(facts)
    if changes.get("rest") == "error":
        changes["fault"] = fault
    return _finished(server, changes, now)


def reset(server: Server, rest: str, now: float) -> Server:
    """The operator's word: at this rest, doing nothing.  Old tickets die by it."""
    if server.rest == "deleted":
        raise IllegalMove(f"Instance {server.uuid} is deleted")
    return _finished(server, {"rest": rest, "verb": None, "phase": 0, "want": {},
                              "deleted_at": None, "ticket": server.version + 1}, now)


#: What a guest that is seen so is, at rest.
SEEN = {RUNNING: "active", PAUSED: "paused", SHUTDOWN: "stopped", CRASHED: "stopped",
        NOSTATE: "stopped"}


def observe(server: Server, power: int, now: float) -> Server:
    """What the host sees of a guest that is doing nothing: the record shows what is.

    A guest that went off by itself is stopped, one that was paused by hand is paused, one that
    runs is active.  A suspended one has no process, so there it counts only that it runs, or that
    there is no guest at all; one in error, rescued or resized stays so until somebody decides, and
    shows its power.
    """
    if server.verb is not None or power not in SEEN:
        return server
    shown = SHUTDOWN if power in (CRASHED, NOSTATE) else power
    rest = server.rest
    if rest in ("active", "paused", "stopped") or (
            rest == "suspended" and power in (RUNNING, PAUSED, NOSTATE)):
        rest = SEEN[power]
    elif rest not in ("error", "rescued", "resized"):
        return server
    if (rest, shown) == (server.rest, server.power_state):
        return server
    return _finished(server, {"rest": rest, "power_state": shown}, now)


def lock(server: Server, on: bool, reason: str | None, project: str, now: float) -> Server:
    """Locked, or unlocked again, by somebody of this project.  Whoever is not of the server's own
    counts as an admin, and the owner's word does not change a lock that is there."""
    owner = project == server.project_id
    if not on:
        return change(server, now, locked=False, locked_by=None, locked_reason=None)
    if server.locked and owner:
        return server
    kept = server.locked_reason if server.locked else None
    return change(server, now, locked=True, locked_by="owner" if owner else "admin",
                  locked_reason=reason or kept)


def change(server: Server, now: float, **fields: object) -> Server:
    """A change of what is shown that is no verb (a name, a lock, metadata)."""
    return _finished(server, dict(fields), now)


# -- projections ------------------------------------------------------------------------------

def vm_state(server: Server) -> str:
    """``OS-EXT-STS:vm_state``."""
    return RESTS[server.rest]


def task_state(server: Server) -> str | None:
    """``OS-EXT-STS:task_state``."""
    if server.verb is None:
        return None
    phases = VERBS[server.verb].phases
    return phases[min(server.phase, len(phases) - 1)] if phases else None


_STATUS = {"building": "BUILD", "active": "ACTIVE", "stopped": "SHUTOFF", "paused": "PAUSED",
           "suspended": "SUSPENDED", "rescued": "RESCUE", "resized": "VERIFY_RESIZE",
           "shelved": "SHELVED", "shelved_offloaded": "SHELVED_OFFLOADED", "error": "ERROR",
           "soft_deleted": "SOFT_DELETED", "deleted": "DELETED"}
_WORKING = {"rebuild": "REBUILD", "evacuate": "REBUILD", "resize": "RESIZE", "migrate": "RESIZE",
            "revert_resize": "REVERT_RESIZE", "live_migrate": "MIGRATING",
            "change_password": "PASSWORD", "reboot": "REBOOT", "reboot_hard": "HARD_REBOOT"}
_SHOWS_WORK = {"rebuild": ("active", "stopped", "error"), "resize": ("active", "stopped"),
               "migrate": ("active", "stopped"), "evacuate": ("active", "stopped", "error"),
               "reboot": ("active",), "reboot_hard": ("active", "stopped", "paused", "suspended"),
               "revert_resize": ("resized",), "live_migrate": ("active", "paused"),
               "change_password": ("active",)}


def status(server: Server) -> str:
    """``status``: what the rest shows, or the verb where the api-ref names one."""
    if server.verb in _WORKING and server.rest in _SHOWS_WORK[server.verb]:
        return _WORKING[server.verb]
    return _STATUS[server.rest]
