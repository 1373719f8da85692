"""Passwords that guests posted, encrypted by them"""

import sqlalchemy as sa
from alembic import op

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand the schema."""
    op.add_column('servers', sa.Column('password', sa.Text(), nullable=True))


def downgrade() -> None:
    """Back again; what guests posted is lost."""
    op.drop_column('servers', 'password')
