"""samples by split

Revision: 0008, after 0007
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_sample_split", "sample", ["dataset_id", "split"])


def downgrade() -> None:
    op.drop_index("ix_sample_split", table_name="sample")
