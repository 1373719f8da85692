"""Who of which server group is on which host"""

import sqlalchemy as sa
from alembic import op

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None

_MYSQL = {'mysql_engine': 'InnoDB', 'mysql_charset': 'utf8mb4',
          'mysql_collate': 'utf8mb4_nopad_bin'}


def upgrade() -> None:
    """Expand the schema."""
    op.create_table(
        'group_claims',
        sa.Column('server', sa.String(length=36), nullable=False),
        sa.Column('role', sa.String(length=16), nullable=False),
        sa.Column('server_group', sa.String(length=36), nullable=False),
        sa.Column('host', sa.String(length=255), nullable=False),
        sa.Column('slot', sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint('server', 'role', name=op.f('pk_group_claims')),
        sa.UniqueConstraint('server_group', 'host', 'slot',
                            name=op.f('uq_group_claims_server_group_host_slot')), **_MYSQL)
    op.create_table(
        'group_pins',
        sa.Column('server_group', sa.String(length=36), nullable=False),
        sa.Column('host', sa.String(length=255), nullable=False),
        sa.Column('turn', sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint('server_group', name=op.f('pk_group_pins')), **_MYSQL)


def downgrade() -> None:
    """Back again; strict groups hold no longer."""
    op.drop_table('group_pins')
    op.drop_table('group_claims')
