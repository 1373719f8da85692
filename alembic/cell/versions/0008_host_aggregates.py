"""The host aggregates that the zones of a cell's hosts follow"""

import sqlalchemy as sa
from alembic import op

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand the schema."""
    op.add_column('identity', sa.Column('aggregates', sa.BigInteger(), nullable=True))
    op.add_column('identity', sa.Column('host_aggregates', sa.LargeBinary(length=16777215),
                                        nullable=True))


def downgrade() -> None:
    """Back again; hosts keep the zones that they have."""
    op.drop_column('identity', 'host_aggregates')
    op.drop_column('identity', 'aggregates')
