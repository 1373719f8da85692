"""The tables of the API cell's database, read first: one row per server, ready to be sent.

Indexed columns serve every filter and sort of the API; ``doc`` holds the document's stored
fragments and ``record`` the whole record they were made from.  Sort columns are never null
(law T13): an unset time is 0.  Times are seconds since the epoch.
"""

import sqlalchemy as sa

metadata = sa.MetaData(naming_convention={
    "ix": "ix_%(table_name)s_%(column_0_N_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s"})

Blob = sa.LargeBinary(2**24 - 1)
Time = sa.Double()
Uuid = sa.String(36)
_MYSQL = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4",
          "mysql_collate": "utf8mb4_nopad_bin"}   # by code point, blanks at the end count

cells = sa.Table(
    "cells", metadata,
    sa.Column("uuid", Uuid, primary_key=True),
    sa.Column("name", sa.String(255), nullable=False, unique=True),
    sa.Column("transport_url", sa.Text, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("disabled_reason", sa.String(255)),
    sa.Column("incarnation", Uuid),              # of the child's database, as last heard
    sa.Column("halted", sa.String(255)),         # why sync stopped; null: it runs
    sa.Column("resyncing", sa.Boolean, nullable=False),  # unknown uuids may be inserted
    sa.Column("up", sa.Boolean, nullable=False),         # heard lately, by a collector's clock
    sa.Column("catalogue", sa.Integer, nullable=False),  # flavor catalogue it has counted
    sa.Column("created_at", Time, nullable=False),
    sa.Column("updated_at", Time, nullable=False),
    sa.Column("heard_at", Time, nullable=False), **_MYSQL)

deployment = sa.Table(
    "deployment", metadata,                      # one row: who this API cell is to its children
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("uuid", Uuid, nullable=False), **_MYSQL)

servers = sa.Table(
    "servers", metadata,
    sa.Column("uuid", Uuid, primary_key=True),
    sa.Column("project_id", sa.String(255), nullable=False),
    sa.Column("user_id", sa.String(255), nullable=False),
    # whose it is: (epoch, version) orders its states
    sa.Column("cell", Uuid),                     # null: the API cell owns it
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("placed", sa.Boolean, nullable=False),     # an offer of it was confirmed
    # what quota counts
    sa.Column("counted", sa.Boolean, nullable=False),
    sa.Column("vcpus", sa.Integer, nullable=False),
    sa.Column("ram_mb", sa.Integer, nullable=False),
    # filters and sorts
    sa.Column("deleted", sa.Boolean, nullable=False),
    sa.Column("soft_deleted", sa.Boolean, nullable=False),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("description", sa.String(255), nullable=False),
    sa.Column("hostname", sa.String(255), nullable=False),
    sa.Column("status", sa.String(32), nullable=False),
    sa.Column("vm_state", sa.String(32), nullable=False),
    sa.Column("task_state", sa.String(64), nullable=False),
    sa.Column("power_state", sa.Integer, nullable=False),
    sa.Column("progress", sa.Integer, nullable=False),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("node", sa.String(255), nullable=False),
    sa.Column("flavor_id", sa.String(255), nullable=False),
    sa.Column("image_ref", sa.String(255), nullable=False),
    sa.Column("key_name", sa.String(255), nullable=False),
    sa.Column("availability_zone", sa.String(255), nullable=False),
    sa.Column("access_ip_v4", sa.String(39), nullable=False),
    sa.Column("access_ip_v6", sa.String(39), nullable=False),
    sa.Column("ips", sa.Text, nullable=False),           # " 10.0.0.3 fe80::1 ", for regexes
    sa.Column("locked", sa.Boolean, nullable=False),
    sa.Column("config_drive", sa.Boolean, nullable=False),
    sa.Column("disk_config", sa.String(8), nullable=False),
    sa.Column("reservation_id", sa.String(255), nullable=False),
    sa.Column("launch_index", sa.Integer, nullable=False),
    sa.Column("instance_name", sa.String(255), nullable=False),
    sa.Column("root_device_name", sa.String(255), nullable=False),
    sa.Column("disk_gb", sa.Integer, nullable=False),
    sa.Column("ephemeral_gb", sa.Integer, nullable=False),
    sa.Column("created_at", Time, nullable=False),
    sa.Column("updated_at", Time, nullable=False),
    sa.Column("launched_at", Time, nullable=False),
    sa.Column("terminated_at", Time, nullable=False),
    sa.Column("deleted_at", Time, nullable=False),
    sa.Column("applied_at", Time, nullable=False),       # when this state came in, our clock
    # what is sent
    sa.Column("doc", Blob, nullable=False),              # domain.document fragments
    sa.Column("record", Blob, nullable=False),           # the record, MessagePack
    sa.Column("sealed", Blob),                           # user data, encrypted
    sa.Column("sealed_version", sa.BigInteger),          # when a rebuild gave it; null: the boot
    sa.Index("ix_servers_project_list", "project_id", "deleted", "created_at", "uuid"),
    sa.Index("ix_servers_all_list", "deleted", "created_at", "uuid"),
    sa.Index("ix_servers_quota", "project_id", "counted", "user_id", "vcpus", "ram_mb"),
    sa.Index("ix_servers_cell", "cell", "deleted"),
    sa.Index("ix_servers_changes", "project_id", "applied_at"), **_MYSQL)

server_metadata = sa.Table(
    "server_metadata", metadata,
    sa.Column("server", Uuid, primary_key=True),
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("value", sa.String(255), nullable=False), **_MYSQL)

server_tags = sa.Table(
    "server_tags", metadata,
    sa.Column("server", Uuid, primary_key=True),
    sa.Column("tag", sa.String(80), primary_key=True), **_MYSQL)

offers = sa.Table(
    "offers", metadata,
    sa.Column("server", Uuid, primary_key=True),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("cell", Uuid, nullable=False),
    sa.Column("shape", sa.String(255), nullable=False),  # debited from the cell's slots
    sa.Column("op", Uuid, nullable=False),
    sa.Column("origin", Blob, nullable=False),
    sa.Column("request", Blob, nullable=False),
    sa.Column("secrets", Blob),                          # sealed; gone with the row
    sa.Column("tried", sa.Text, nullable=False),         # JSON list of cells that refused
    sa.Column("created_at", Time, nullable=False),
    sa.Column("next_at", Time, nullable=False),          # when to send it again
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Index("ix_offers_cell", "cell", "shape"), sa.Index("ix_offers_next_at", "next_at"),
    **_MYSQL)

intents = sa.Table(
    "intents", metadata,
    sa.Column("server", Uuid, primary_key=True),
    sa.Column("cell", Uuid, primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),    # "delete"
    sa.Column("op", Uuid, nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("origin", Blob, nullable=False),
    sa.Column("created_at", Time, nullable=False),
    sa.Column("next_at", Time, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Index("ix_intents_next_at", "next_at"), **_MYSQL)

quota_guards = sa.Table(
    "quota_guards", metadata,
    sa.Column("scope", sa.String(300), primary_key=True),    # "project:ID" or "user:ID"
    sa.Column("turn", sa.BigInteger, nullable=False), **_MYSQL)

reservations = sa.Table(
    "reservations", metadata,
    sa.Column("op", Uuid, primary_key=True),
    sa.Column("server", Uuid, nullable=False),
    sa.Column("project_id", sa.String(255), nullable=False),
    sa.Column("user_id", sa.String(255), nullable=False),
    sa.Column("instances", sa.Integer, nullable=False),
    sa.Column("cores", sa.Integer, nullable=False),
    sa.Column("ram", sa.Integer, nullable=False),
    sa.Column("created_at", Time, nullable=False),
    sa.Index("ix_reservations_project_id", "project_id"), **_MYSQL)

quota_limits = sa.Table(
    "quota_limits", metadata,
    sa.Column("project_id", sa.String(255), primary_key=True),
    sa.Column("user_id", sa.String(255), primary_key=True),  # "": of the whole project
    sa.Column("resource", sa.String(64), primary_key=True),
    sa.Column("hard_limit", sa.Integer, nullable=False), **_MYSQL)

quota_classes = sa.Table(
    "quota_classes", metadata,
    sa.Column("name", sa.String(255), primary_key=True),
    sa.Column("resource", sa.String(64), primary_key=True),
    sa.Column("hard_limit", sa.Integer, nullable=False), **_MYSQL)

actions = sa.Table(
    "actions", metadata,
    sa.Column("uuid", Uuid, primary_key=True),
    sa.Column("server", Uuid, nullable=False),
    sa.Column("request_id", sa.String(255), nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("started_at", Time, nullable=False),
    sa.Column("updated_at", Time, nullable=False),
    sa.Column("record", Blob, nullable=False),
    sa.Index("ix_actions_server", "server", "started_at"), **_MYSQL)

migrations = sa.Table(
    "migrations", metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),   # for old clients
    sa.Column("uuid", Uuid, nullable=False, unique=True),
    sa.Column("cell", Uuid, nullable=False),
    sa.Column("server", Uuid, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("status", sa.String(32), nullable=False),
    sa.Column("source", sa.String(255), nullable=False),
    sa.Column("source_node", sa.String(255), nullable=False),
    sa.Column("dest", sa.String(255), nullable=False),
    sa.Column("dest_node", sa.String(255), nullable=False),
    sa.Column("user_id", sa.String(255), nullable=False),
    sa.Column("project_id", sa.String(255), nullable=False),
    sa.Column("old_flavor", sa.Integer),         # ids of the catalogue; null: not in it any more
    sa.Column("new_flavor", sa.Integer),
    sa.Column("created_at", Time, nullable=False),
    sa.Column("updated_at", Time, nullable=False),
    sa.Column("record", Blob, nullable=False),
    sa.Index("ix_migrations_server", "server", "id"),
    sa.Index("ix_migrations_list", "created_at", "id"),
    sa.Index("ix_migrations_project_list", "project_id", "created_at", "id"), **_MYSQL)

hosts = sa.Table(
    "hosts", metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("uuid", Uuid, nullable=False, unique=True),
    sa.Column("cell", Uuid, nullable=False),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("applied_at", Time, nullable=False),
    sa.Column("record", Blob, nullable=False),
    sa.UniqueConstraint("cell", "name"), **_MYSQL)

slots = sa.Table(
    "slots", metadata,
    sa.Column("cell", Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("record", Blob, nullable=False), **_MYSQL)

flavors = sa.Table(
    "flavors", metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("flavorid", sa.String(255), nullable=False, unique=True),
    sa.Column("name", sa.String(255), nullable=False, unique=True),
    sa.Column("vcpus", sa.Integer, nullable=False),
    sa.Column("ram_mb", sa.Integer, nullable=False),
    sa.Column("disk_gb", sa.Integer, nullable=False),
    sa.Column("ephemeral_gb", sa.Integer, nullable=False),
    sa.Column("swap_mb", sa.Integer, nullable=False),
    sa.Column("rxtx_factor", sa.Double(), nullable=False),
    sa.Column("public", sa.Boolean, nullable=False),
    sa.Column("disabled", sa.Boolean, nullable=False),
    sa.Column("description", sa.Text),
    sa.Column("created_at", Time, nullable=False), **_MYSQL)

flavor_extra_specs = sa.Table(
    "flavor_extra_specs", metadata,
    sa.Column("flavor", sa.ForeignKey("flavors.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("value", sa.String(255), nullable=False), **_MYSQL)

flavor_access = sa.Table(
    "flavor_access", metadata,
    sa.Column("flavor", sa.ForeignKey("flavors.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("project_id", sa.String(255), primary_key=True), **_MYSQL)

keypairs = sa.Table(
    "keypairs", metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("user_id", sa.String(255), nullable=False),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("type", sa.String(8), nullable=False),
    sa.Column("fingerprint", sa.String(255), nullable=False),
    sa.Column("public_key", sa.Text, nullable=False),
    sa.Column("created_at", Time, nullable=False),
    sa.UniqueConstraint("user_id", "name"), **_MYSQL)

server_groups = sa.Table(
    "server_groups", metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("uuid", Uuid, nullable=False, unique=True),
    sa.Column("project_id", sa.String(255), nullable=False),
    sa.Column("user_id", sa.String(255), nullable=False),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("policy", sa.String(32), nullable=False),
    sa.Column("max_per_host", sa.Integer),               # null: nobody said
    sa.Column("cell", Uuid),                             # of a strict affinity: where it is
    sa.Column("turn", sa.BigInteger, nullable=False),    # moves with every member that joins
    sa.Column("created_at", Time, nullable=False),
    sa.Index("ix_server_groups_project_id", "project_id"), **_MYSQL)

server_group_members = sa.Table(
    "server_group_members", metadata,            # a server that is deleted is no member any more
    sa.Column("server", Uuid, primary_key=True),
    sa.Column("server_group", Uuid, nullable=False),
    sa.Index("ix_server_group_members_server_group", "server_group"), **_MYSQL)

aggregates = sa.Table(
    "aggregates", metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("uuid", Uuid, nullable=False, unique=True),
    sa.Column("name", sa.String(255), nullable=False, unique=True),
    sa.Column("created_at", Time, nullable=False),
    sa.Column("updated_at", Time), **_MYSQL)

aggregate_metadata = sa.Table(
    "aggregate_metadata", metadata,
    sa.Column("aggregate", sa.ForeignKey("aggregates.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("value", sa.String(255), nullable=False), **_MYSQL)

aggregate_hosts = sa.Table(
    "aggregate_hosts", metadata,                 # of a host that is forgotten: not shown any more
    sa.Column("aggregate", sa.ForeignKey("aggregates.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("host", Uuid, primary_key=True), **_MYSQL)

counters = sa.Table(
    "counters", metadata,                        # "catalogue", "aggregates": with every change
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False), **_MYSQL)

orders = sa.Table(
    "orders", metadata,                          # an operator's long work, done by a collector
    sa.Column("id", Uuid, primary_key=True),
    sa.Column("kind", sa.String(32), nullable=False),    # "resync", "verify"
    sa.Column("cell", Uuid, nullable=False),
    sa.Column("body", sa.Text, nullable=False),          # JSON
    sa.Column("state", sa.String(16), nullable=False),   # "waiting", "running", "done", "failed"
    sa.Column("progress", sa.Integer, nullable=False),   # per cent
    sa.Column("result", sa.Text),                        # JSON
    sa.Column("created_at", Time, nullable=False),
    sa.Column("updated_at", Time, nullable=False),
    sa.Index("ix_orders_state", "state"), **_MYSQL)

replies = sa.Table(
    "replies", metadata,                         # given again to who asks the same again
    sa.Column("name", sa.String(64), primary_key=True),  # hash of project, user and their key
    sa.Column("digest", sa.String(64), nullable=False),  # of what was asked
    sa.Column("reply", Blob, nullable=False),            # sealed
    sa.Column("until", Time, nullable=False),
    sa.Index("ix_replies_until", "until"), **_MYSQL)

notifications = sa.Table(
    "notifications", metadata,                   # what other services are still to be told
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True,
              autoincrement=True),
    sa.Column("server", Uuid, nullable=False),
    sa.Column("event_type", sa.String(255), nullable=False),
    sa.Column("payload", Blob, nullable=False),          # JSON
    sa.Column("created_at", Time, nullable=False), **_MYSQL)

leases = sa.Table(
    "leases", metadata,                          # work that one process of several does
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("holder", Uuid, nullable=False),
    sa.Column("beat", sa.BigInteger, nullable=False), **_MYSQL)  # it moves: its holder lives

volume_claims = sa.Table(
    "volume_claims", metadata,                   # which server may use which volume (law T14)
    sa.Column("uuid", Uuid, primary_key=True),           # of the errand, or of its swap
    sa.Column("errand", Uuid, nullable=False),
    sa.Column("volume", Uuid),                           # null: it is being made, by this claim
    sa.Column("slot", Uuid, nullable=False),             # "": of one server; multi-attach: whose
    sa.Column("server", Uuid, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),    # "boot", "attach" or "swap"
    sa.Column("made", sa.Boolean, nullable=False),       # we made the volume: it goes if unused
    sa.Column("settled", sa.Boolean, nullable=False),    # the server's record says what it is
    sa.Column("asked_at", Time, nullable=False),
    sa.UniqueConstraint("volume", "slot", name="uq_volume_claims_volume_slot"),
    sa.Index("ix_volume_claims_asked_at", "settled", "asked_at"),
    sa.Index("ix_volume_claims_server", "server"), **_MYSQL)
