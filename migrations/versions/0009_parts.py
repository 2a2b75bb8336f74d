"""jobs that are parts of another

Revision: 0009, after 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job", sa.Column("parent_id", sa.Integer(), nullable=True))
    op.create_index("ix_job_parent_id", "job", ["parent_id", "id"])


def downgrade() -> None:
    op.drop_index("ix_job_parent_id", table_name="job")
    op.drop_column("job", "parent_id")
