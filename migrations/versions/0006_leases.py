"""leases of samples by reviewers

Revision: 0006, after 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lease",
        sa.Column("sample_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("reviewer", sa.String(length=120), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["sample_id"], ["sample.id"], name=op.f("fk_lease_sample_id")),
        sa.PrimaryKeyConstraint("sample_id", name=op.f("pk_lease")),
    )
    op.create_index(op.f("ix_lease_reviewer"), "lease", ["reviewer"], unique=False)
