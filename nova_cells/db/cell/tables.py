"""The tables of a child cell's database: the truth about its servers, hosts and resources.

Usage of resources is always a sum over allocations, never kept (law T9).  Times are seconds
since the epoch; nothing is ordered by them.
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

identity = sa.Table(
    "identity", metadata,                        # one row: who this cell is
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("uuid", Uuid, nullable=False),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("incarnation", Uuid, nullable=False),      # changes when the database is restored
    sa.Column("halted", sa.String(255)),                 # why nothing goes up; null: it does
    sa.Column("parent", Uuid),                           # the API cell that adopted it
    sa.Column("lift", sa.Integer, nullable=False),       # how often versions were lifted
    sa.Column("slots", sa.BigInteger, nullable=False),   # version of the slots record
    sa.Column("catalogue", sa.Integer, nullable=False),  # version of the flavors below
    sa.Column("flavors", Blob),
    sa.Column("aggregates", sa.BigInteger),              # version of those below; null: 0
    sa.Column("host_aggregates", Blob), **_MYSQL)

servers = sa.Table(
    "servers", metadata,
    sa.Column("uuid", Uuid, primary_key=True),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("confirmed", sa.Boolean, nullable=False),  # the top said that it is ours
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("rest", sa.String(32), nullable=False),
    sa.Column("verb", sa.String(32), nullable=False),    # "": at rest
    sa.Column("ticket", sa.BigInteger, nullable=False),
    sa.Column("op", Uuid),                               # of the verb under way
    sa.Column("began_at", Time, nullable=False),         # the verb
    sa.Column("due_at", Time, nullable=False),           # when the watchdog asks about it
    sa.Column("deleted_at", Time, nullable=False),
    sa.Column("record", Blob),                           # null: a bare tombstone
    sa.Column("request", Blob),                          # the boot request
    sa.Column("secrets", Blob),                          # sealed; purged once the guest runs
    sa.Column("user_data", Blob),                        # sealed; kept for rebuild
    sa.Column("wanted", Blob),                           # by the verb under way; null: nothing
    sa.Column("password", sa.Text),                      # that its guest posted, encrypted by it
    sa.Index("ix_servers_host", "host", "verb"), sa.Index("ix_servers_due", "verb", "due_at"),
    sa.Index("ix_servers_deleted_at", "rest", "deleted_at"), **_MYSQL)

errands = sa.Table(
    "errands", metadata,                         # volumes and interfaces of servers
    sa.Column("uuid", Uuid, primary_key=True),
    sa.Column("server", Uuid, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("subject", Uuid, nullable=False),          # volume or port; gone: its own uuid
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("rest", sa.String(16), nullable=False),
    sa.Column("verb", sa.String(32), nullable=False),    # "": at rest
    sa.Column("host", sa.String(255), nullable=False),   # that has its task; "": none
    sa.Column("op", Uuid),                               # of the verb under way, or the last
    sa.Column("began_at", Time, nullable=False),         # the verb under way, or the last
    sa.Column("due_at", Time, nullable=False),
    sa.Column("record", Blob, nullable=False),
    sa.UniqueConstraint("server", "kind", "subject", name="uq_errands_server"),
    sa.Index("ix_errands_due", "verb", "due_at"), sa.Index("ix_errands_rest", "rest", "began_at"),
    **_MYSQL)

operations = sa.Table(
    "operations", metadata,                      # outcomes, so that a repeat has one effect
    sa.Column("op", Uuid, primary_key=True),
    sa.Column("server", Uuid, nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("done_at", Time, nullable=False),
    sa.Index("ix_operations_done_at", "done_at"), **_MYSQL)

actions = sa.Table(
    "actions", metadata,
    sa.Column("uuid", Uuid, primary_key=True),
    sa.Column("server", Uuid, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("record", Blob, nullable=False),
    sa.Index("ix_actions_server", "server"), **_MYSQL)

migrations = sa.Table(
    "migrations", metadata,                      # moves of servers between hosts
    sa.Column("uuid", Uuid, primary_key=True),
    sa.Column("server", Uuid, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("status", sa.String(32), nullable=False),
    sa.Column("open", sa.Boolean, nullable=False),       # the server holds something on both hosts
    sa.Column("source", sa.String(255), nullable=False),
    sa.Column("dest", sa.String(255), nullable=False),
    sa.Column("updated_at", Time, nullable=False),
    sa.Column("record", Blob, nullable=False),
    sa.Index("ix_migrations_server", "server", "open"),
    sa.Index("ix_migrations_open", "open", "status"), **_MYSQL)

hosts = sa.Table(
    "hosts", metadata,
    sa.Column("name", sa.String(255), primary_key=True),
    sa.Column("uuid", Uuid, nullable=False, unique=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("up", sa.Boolean, nullable=False),
    sa.Column("heard_at", Time, nullable=False),
    sa.Column("record", Blob, nullable=False), **_MYSQL)

signs = sa.Table(
    "signs", metadata,                           # one row per conductor: whom it has heard
    sa.Column("conductor", Uuid, primary_key=True),
    sa.Column("heard", Blob, nullable=False), **_MYSQL)  # host -> how often; it moves: it lives

providers = sa.Table(
    "providers", metadata,
    sa.Column("uuid", Uuid, primary_key=True),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("host", sa.String(255)),
    sa.Column("parent", Uuid),
    sa.Column("generation", sa.BigInteger, nullable=False),
    sa.Column("traits", sa.Text, nullable=False),        # space-separated names
    sa.Index("ix_providers_host", "host"), **_MYSQL)

inventories = sa.Table(
    "inventories", metadata,
    sa.Column("provider", Uuid, primary_key=True),
    sa.Column("resource_class", sa.String(255), primary_key=True),
    sa.Column("total", sa.BigInteger, nullable=False),
    sa.Column("reserved", sa.BigInteger, nullable=False),
    sa.Column("min_unit", sa.BigInteger, nullable=False),
    sa.Column("max_unit", sa.BigInteger, nullable=False),
    sa.Column("step_size", sa.BigInteger, nullable=False),
    sa.Column("allocation_ratio", sa.Double(), nullable=False), **_MYSQL)

allocations = sa.Table(
    "allocations", metadata,
    sa.Column("server", Uuid, primary_key=True),
    sa.Column("role", sa.String(16), primary_key=True),  # "here"; a move adds "move"
    sa.Column("provider", Uuid, primary_key=True),
    sa.Column("resource_class", sa.String(255), primary_key=True),
    sa.Column("used", sa.BigInteger, nullable=False),
    sa.Index("ix_allocations_provider", "provider", "resource_class", "used"), **_MYSQL)

group_claims = sa.Table(
    "group_claims", metadata,                    # who of a server group is where (law T7)
    sa.Column("server", Uuid, primary_key=True),
    sa.Column("role", sa.String(16), primary_key=True),  # as of its allocations
    sa.Column("server_group", Uuid, nullable=False),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("slot", sa.Integer),               # of a strict anti-affinity; null: any number
    sa.UniqueConstraint("server_group", "host", "slot"), **_MYSQL)

group_pins = sa.Table(
    "group_pins", metadata,                      # the one host of a strict affinity
    sa.Column("server_group", Uuid, primary_key=True),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("turn", sa.BigInteger, nullable=False), **_MYSQL)  # moves with every member

outbox = sa.Table(
    "outbox", metadata,                          # what must still go up: one row per record
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("uuid", Uuid, primary_key=True),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("marked_at", Time, nullable=False),
    sa.Index("ix_outbox_marked_at", "marked_at"), **_MYSQL)
