# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What users of the simulated cluster want of a server where it is, as the API would order it."""

from nova_cells.domain import boot
from nova_cells.domain import wanted as wants

VERBS = ("rebuild", "rescue", "unrescue", "change_password", "crash_dump", "soft_delete", "restore")


def order(run, uuid: str, verb: str, origin):  # noqa: ANN001, ANN201
    """What makes the order."""
    cluster, orders = run.cluster, run.cluster.users.orders
    if verb == "restore":
        return lambda: orders.restore(uuid, origin, cluster.now)
    wanted = _WANTED.get(verb, lambda run: wants.Wanted())(run)
    return lambda: orders.act(uuid, verb, origin, cluster.now, wanted=wanted)


def _secret(run, **secrets: object) -> boot.Sealed:  # noqa: ANN001
    return run.cluster.key.close_secrets(boot.Secrets(admin_password="canary", **secrets))


def _rebuild(run) -> wants.Wanted:  # noqa: ANN001
    rng = run.rng
    fields = {}
    if rng.random() < 0.5:
        fields["user_data"] = rng.choice((None, _secret(run, user_data="IyEvYmluL3No").user_data))
    if rng.random() < 0.5:
        fields["key"] = rng.choice((None, boot.Key(name="k", kind="ssh", data="d")))
    return wants.Wanted(
        image=rng.choice(run.cluster.images.list()), secrets=_secret(run),
        renewal=wants.Renewal(name=f"r{rng.randrange(99)}", **fields),
        options={"preserve_ephemeral": "true"} if rng.random() < 0.3 else {})


_WANTED = {
    "rebuild": _rebuild,
    "rescue": lambda run: wants.Wanted(image=run.rng.choice(run.cluster.images.list()),
                                       secrets=_secret(run)),
    "change_password": lambda run: wants.Wanted(secrets=_secret(run)),
}

#: Verbs that belong together, for users do not choose at random.
VISITS = (("rescue", "unrescue"), ("soft_delete", "restore"), ("stop", "rebuild", "start"),
          ("rebuild", "change_password"), ("soft_delete",), ("rescue", "soft_delete", "restore"))


def visit(run) -> None:  # noqa: ANN001
    """Somebody who knows what he wants of a server that runs, and mostly waits for each step."""
    cluster, rng = run.cluster, run.rng
    with cluster.view.read() as tx:
        running = [uuid for uuid in run.servers if (
            record := cluster.view.servers.record(tx, uuid)) and record.rest == "active"]
    if not running:
        return
    uuid = rng.choice(running)
    for verb in rng.choice(VISITS):
        cluster.users.send(order(run, uuid, verb, run._origin()))
        cluster.run(rng.choice((0.05, 1.0, 5.0, 5.0)))
