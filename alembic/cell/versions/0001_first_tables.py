"""The first tables of the cell database"""

import sqlalchemy as sa
from alembic import op

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand the schema."""
    op.create_table('actions',
    sa.Column('uuid', sa.String(length=36), nullable=False),
    sa.Column('server', sa.String(length=36), nullable=False),
    sa.Column('version', sa.BigInteger(), nullable=False),
    sa.Column('record', sa.LargeBinary(length=16777215), nullable=False),
    sa.PrimaryKeyConstraint('uuid', name=op.f('pk_actions')),
    mysql_charset='utf8mb4',
    mysql_collate='utf8mb4_nopad_bin',
    mysql_engine='InnoDB'
    )
    with op.batch_alter_table('actions', schema=None) as batch_op:
        batch_op.create_index('ix_actions_server', ['server'], unique=False)

    op.create_table('allocations',
    sa.Column('server', sa.String(length=36), nullable=False),
    sa.Column('role', sa.String(length=16), nullable=False),
    sa.Column('provider', sa.String(length=36), nullable=False),
    sa.Column('resource_class', sa.String(length=255), nullable=False),
    sa.Column('used', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('server', 'role', 'provider', 'resource_class',
                            name=op.f('pk_allocations')),
    mysql_charset='utf8mb4',
    mysql_collate='utf8mb4_nopad_bin',
    mysql_engine='InnoDB'
    )
    with op.batch_alter_table('allocations', schema=None) as batch_op:
        batch_op.create_index('ix_allocations_provider', ['provider', 'resource_class', 'used'],
                              unique=False)

    op.create_table('hosts',
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('uuid', sa.String(length=36), nullable=False),
    sa.Column('version', sa.BigInteger(), nullable=False),
    sa.Column('up', sa.Boolean(), nullable=False),
    sa.Column('heard_at', sa.Double(), nullable=False),
    sa.Column('record', sa.LargeBinary(length=16777215), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_hosts')),
    sa.UniqueConstraint('uuid', name=op.f('uq_hosts_uuid')),
    mysql_charset='utf8mb4',
    mysql_collate='utf8mb4_nopad_bin',
    mysql_engine='InnoDB'
    )
    op.create_table('identity',
    sa.Column('id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('uuid', sa.String(length=36), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('incarnation', sa.String(length=36), nullable=False),
    sa.Column('halted', sa.String(length=255), nullable=True),
    sa.Column('parent', sa.String(length=36), nullable=True),
    sa.Column('lift', sa.Integer(), nullable=False),
    sa.Column('slots', sa.BigInteger(), nullable=False),
    sa.Column('catalogue', sa.Integer(), nullable=False),
    sa.Column('flavors', sa.LargeBinary(length=16777215), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_identity')),
    mysql_charset='utf8mb4',
    mysql_collate='utf8mb4_nopad_bin',
    mysql_engine='InnoDB'
    )
    op.create_table('inventories',
    sa.Column('provider', sa.String(length=36), nullable=False),
    sa.Column('resource_class', sa.String(length=255), nullable=False),
    sa.Column('total', sa.BigInteger(), nullable=False),
    sa.Column('reserved', sa.BigInteger(), nullable=False),
    sa.Column('min_unit', sa.BigInteger(), nullable=False),
    sa.Column('max_unit', sa.BigInteger(), nullable=False),
    sa.Column('step_size', sa.BigInteger(), nullable=False),
    sa.Column('allocation_ratio', sa.Double(), nullable=False),
    sa.PrimaryKeyConstraint('provider', 'resource_class', name=op.f('pk_inventories')),
    mysql_charset='utf8mb4',
    mysql_collate='utf8mb4_nopad_bin',
    mysql_engine='InnoDB'
    )
    op.create_table('operations',
    sa.Column('op', sa.String(length=36), nullable=False),
    sa.Column('server', sa.String(length=36), nullable=False),
    sa.Column('kind', sa.String(length=32), nullable=False),
    sa.Column('done_at', sa.Double(), nullable=False),
    sa.PrimaryKeyConstraint('op', name=op.f('pk_operations')),
    mysql_charset='utf8mb4',
    mysql_collate='utf8mb4_nopad_bin',
    mysql_engine='InnoDB'
    )
    with op.batch_alter_table('operations', schema=None) as batch_op:
        batch_op.create_index('ix_operations_done_at', ['done_at'], unique=False)

    op.create_table('outbox',
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('uuid', sa.String(length=36), nullable=False),
    sa.Column('epoch', sa.Integer(), nullable=False),
    sa.Column('version', sa.BigInteger(), nullable=False),
    sa.Column('marked_at', sa.Double(), nullable=False),
    sa.PrimaryKeyConstraint('kind', 'uuid', name=op.f('pk_outbox')),
    mysql_charset='utf8mb4',
    mysql_collate='utf8mb4_nopad_bin',
    mysql_engine='InnoDB'
    )
    with op.batch_alter_table('outbox', schema=None) as batch_op:
        batch_op.create_index('ix_outbox_marked_at', ['marked_at'], unique=False)

    op.create_table('providers',
    sa.Column('uuid', sa.String(length=36), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('host', sa.String(length=255), nullable=True),
    sa.Column('parent', sa.String(length=36), nullable=True),
    sa.Column('generation', sa.BigInteger(), nullable=False),
    sa.Column('traits', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('uuid', name=op.f('pk_providers')),
    mysql_charset='utf8mb4',
    mysql_collate='utf8mb4_nopad_bin',
    mysql_engine='InnoDB'
    )
    with op.batch_alter_table('providers', schema=None) as batch_op:
        batch_op.create_index('ix_providers_host', ['host'], unique=False)

    op.create_table('servers',
    sa.Column('uuid', sa.String(length=36), nullable=False),
    sa.Column('epoch', sa.Integer(), nullable=False),
    sa.Column('version', sa.BigInteger(), nullable=False),
    sa.Column('confirmed', sa.Boolean(), nullable=False),
    sa.Column('host', sa.String(length=255), nullable=False),
    sa.Column('rest', sa.String(length=32), nullable=False),
    sa.Column('verb', sa.String(length=32), nullable=False),
    sa.Column('ticket', sa.BigInteger(), nullable=False),
    sa.Column('op', sa.String(length=36), nullable=True),
    sa.Column('began_at', sa.Double(), nullable=False),
    sa.Column('due_at', sa.Double(), nullable=False),
    sa.Column('deleted_at', sa.Double(), nullable=False),
    sa.Column('record', sa.LargeBinary(length=16777215), nullable=True),
    sa.Column('request', sa.LargeBinary(length=16777215), nullable=True),
    sa.Column('secrets', sa.LargeBinary(length=16777215), nullable=True),
    sa.Column('user_data', sa.LargeBinary(length=16777215), nullable=True),
    sa.PrimaryKeyConstraint('uuid', name=op.f('pk_servers')),
    mysql_charset='utf8mb4',
    mysql_collate='utf8mb4_nopad_bin',
    mysql_engine='InnoDB'
    )
    with op.batch_alter_table('servers', schema=None) as batch_op:
        batch_op.create_index('ix_servers_deleted_at', ['rest', 'deleted_at'], unique=False)
        batch_op.create_index('ix_servers_due', ['verb', 'due_at'], unique=False)
        batch_op.create_index('ix_servers_host', ['host', 'verb'], unique=False)



def downgrade() -> None:
    """Undo it (for tests; nobody runs this on data that matters)."""
    with op.batch_alter_table('servers', schema=None) as batch_op:
        batch_op.drop_index('ix_servers_host')
        batch_op.drop_index('ix_servers_due')
        batch_op.drop_index('ix_servers_deleted_at')

    op.drop_table('servers')
    with op.batch_alter_table('providers', schema=None) as batch_op:
        batch_op.drop_index('ix_providers_host')

    op.drop_table('providers')
    with op.batch_alter_table('outbox', schema=None) as batch_op:
        batch_op.drop_index('ix_outbox_marked_at')

    op.drop_table('outbox')
    with op.batch_alter_table('operations', schema=None) as batch_op:
        batch_op.drop_index('ix_operations_done_at')

    op.drop_table('operations')
    op.drop_table('inventories')
    op.drop_table('identity')
    op.drop_table('hosts')
    with op.batch_alter_table('allocations', schema=None) as batch_op:
        batch_op.drop_index('ix_allocations_provider')

    op.drop_table('allocations')
    with op.batch_alter_table('actions', schema=None) as batch_op:
        batch_op.drop_index('ix_actions_server')

    op.drop_table('actions')
