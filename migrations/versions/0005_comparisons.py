"""comparisons of two arms

Revision: 0005, after 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "comparison",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=True),
        sa.Column("before", sa.String(length=40), nullable=False),
        sa.Column("after", sa.String(length=40), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("seeds", sa.JSON(), nullable=False),
        sa.Column("before_snapshot_id", sa.Integer(), nullable=True),
        sa.Column("after_snapshot_id", sa.Integer(), nullable=True),
        sa.Column("reference_ids", sa.JSON(), nullable=True),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.Column("actor_name", sa.String(length=120), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name=op.f("fk_comparison_dataset_id")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_comparison_job_id")),
        sa.ForeignKeyConstraint(["before_snapshot_id"], ["snapshot.id"], name=op.f("fk_comparison_before_snapshot_id")),
        sa.ForeignKeyConstraint(["after_snapshot_id"], ["snapshot.id"], name=op.f("fk_comparison_after_snapshot_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comparison")),
    )
    op.create_index("ix_comparison_dataset_id", "comparison", ["dataset_id", "id"])
    op.add_column("run", sa.Column("comparison_id", sa.Integer(), nullable=True))
    op.add_column("run", sa.Column("side", sa.String(length=8), nullable=True))
    op.add_column("run", sa.Column("started_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_run_comparison_id", "run", ["comparison_id"])
    op.add_column("revision", sa.Column("confidence_id", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("revision", "confidence_id")
    op.drop_index("ix_run_comparison_id", table_name="run")
    for name in ("started_at", "side", "comparison_id"):
        op.drop_column("run", name)
    op.drop_index("ix_comparison_dataset_id", table_name="comparison")
    op.drop_table("comparison")
