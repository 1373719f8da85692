"""Which server may use which volume"""

import sqlalchemy as sa
from alembic import op

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand the schema."""
    op.create_table('volume_claims',
    sa.Column('uuid', sa.String(length=36), nullable=False),
    sa.Column('errand', sa.String(length=36), nullable=False),
    sa.Column('volume', sa.String(length=36), nullable=True),
    sa.Column('slot', sa.String(length=36), nullable=False),
    sa.Column('server', sa.String(length=36), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('made', sa.Boolean(), nullable=False),
    sa.Column('settled', sa.Boolean(), nullable=False),
    sa.Column('asked_at', sa.Double(), nullable=False),
    sa.PrimaryKeyConstraint('uuid', name=op.f('pk_volume_claims')),
    sa.UniqueConstraint('volume', 'slot', name='uq_volume_claims_volume_slot'),
    mysql_charset='utf8mb4',
    mysql_collate='utf8mb4_nopad_bin',
    mysql_engine='InnoDB'
    )
    with op.batch_alter_table('volume_claims', schema=None) as batch_op:
        batch_op.create_index('ix_volume_claims_asked_at', ['settled', 'asked_at'], unique=False)
        batch_op.create_index('ix_volume_claims_server', ['server'], unique=False)


def downgrade() -> None:
    """Back again; claims are forgotten, and the volume service alone says who has a volume."""
    op.drop_table('volume_claims')
