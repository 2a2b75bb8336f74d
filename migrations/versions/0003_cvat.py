"""cvat batches, frames and pulls

Revision: 0003, after 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cvat_answer",
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("server", sa.String(length=64), nullable=False),
        sa.Column("label_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("colour", sa.String(length=7), nullable=False),
        sa.Column("answer", sa.String(length=12), nullable=True),
        sa.Column("class_id", sa.Integer(), nullable=True),
        sa.Column("actor_name", sa.String(length=120), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name=op.f("fk_cvat_answer_dataset_id")),
        sa.PrimaryKeyConstraint("dataset_id", "server", "label_id", name=op.f("pk_cvat_answer")),
    )
    op.create_table(
        "cvat_batch",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("server", sa.String(length=64), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("source", sa.String(length=12), nullable=False),
        sa.Column("class_version", sa.Integer(), nullable=False),
        sa.Column("background", sa.Boolean(), nullable=False),
        sa.Column("segment_size", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=True),
        sa.Column("task_id", sa.Integer(), nullable=True),
        sa.Column("request", sa.Text(), nullable=True),
        sa.Column("job_id", sa.Integer(), nullable=True),
        sa.Column("jobs", sa.JSON(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("actor_name", sa.String(length=120), nullable=False),
        sa.Column("pulled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name=op.f("fk_cvat_batch_dataset_id")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_cvat_batch_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cvat_batch")),
        sa.UniqueConstraint("name", name=op.f("uq_cvat_batch_name")),
    )
    op.create_index("ix_cvat_batch_dataset_id", "cvat_batch", ["dataset_id", "id"], unique=False)
    op.create_index("ix_cvat_batch_task_id", "cvat_batch", ["task_id"], unique=False)
    op.create_table(
        "cvat_label",
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("class_id", sa.Integer(), nullable=False),
        sa.Column("label_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["cvat_batch.id"], name=op.f("fk_cvat_label_batch_id")),
        sa.PrimaryKeyConstraint("batch_id", "kind", "class_id", name=op.f("pk_cvat_label")),
    )
    op.create_table(
        "cvat_pull",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("which", sa.String(length=12), nullable=False),
        sa.Column("samples", sa.JSON(), nullable=False),
        sa.Column("confirm", sa.Boolean(), nullable=False),
        sa.Column("origin", sa.String(length=12), nullable=False),
        sa.Column("actor_name", sa.String(length=120), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("job_states", sa.JSON(), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["batch_id"], ["cvat_batch.id"], name=op.f("fk_cvat_pull_batch_id")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_cvat_pull_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cvat_pull")),
    )
    op.create_index("ix_cvat_pull_batch_id", "cvat_pull", ["batch_id", "id"], unique=False)
    op.create_table(
        "cvat_frame",
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("sample_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("job", sa.Integer(), nullable=True),
        sa.Column("revision_id", sa.Integer(), nullable=True),
        sa.Column("suggestion_id", sa.Integer(), nullable=True),
        sa.Column("base_id", sa.Integer(), nullable=True),
        sa.Column("ours_id", sa.Integer(), nullable=True),
        sa.Column("pulled_hash", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["base_id"], ["revision.id"], name=op.f("fk_cvat_frame_base_id")),
        sa.ForeignKeyConstraint(["batch_id"], ["cvat_batch.id"], name=op.f("fk_cvat_frame_batch_id")),
        sa.ForeignKeyConstraint(["ours_id"], ["revision.id"], name=op.f("fk_cvat_frame_ours_id")),
        sa.ForeignKeyConstraint(["revision_id"], ["revision.id"], name=op.f("fk_cvat_frame_revision_id")),
        sa.ForeignKeyConstraint(["sample_id"], ["sample.id"], name=op.f("fk_cvat_frame_sample_id")),
        sa.ForeignKeyConstraint(["suggestion_id"], ["revision.id"], name=op.f("fk_cvat_frame_suggestion_id")),
        sa.PrimaryKeyConstraint("batch_id", "sample_id", name=op.f("pk_cvat_frame")),
    )
    op.create_index("ix_cvat_frame_sample_id", "cvat_frame", ["sample_id", "state"], unique=False)
    op.create_table(
        "cvat_line",
        sa.Column("pull_id", sa.Integer(), nullable=False),
        sa.Column("sample_id", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("pixels", sa.Integer(), nullable=False),
        sa.Column("moves", sa.JSON(), nullable=False),
        sa.Column("annotator", sa.String(length=120), nullable=True),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.Column("before_id", sa.Integer(), nullable=True),
        sa.Column("after_id", sa.Integer(), nullable=True),
        sa.Column("decided_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["after_id"], ["revision.id"], name=op.f("fk_cvat_line_after_id")),
        sa.ForeignKeyConstraint(["before_id"], ["revision.id"], name=op.f("fk_cvat_line_before_id")),
        sa.ForeignKeyConstraint(["decided_id"], ["batch.id"], name=op.f("fk_cvat_line_decided_id")),
        sa.ForeignKeyConstraint(["pull_id"], ["cvat_pull.id"], name=op.f("fk_cvat_line_pull_id")),
        sa.ForeignKeyConstraint(["sample_id"], ["sample.id"], name=op.f("fk_cvat_line_sample_id")),
        sa.PrimaryKeyConstraint("pull_id", "sample_id", name=op.f("pk_cvat_line")),
    )
    op.create_index("ix_cvat_line_after_id", "cvat_line", ["after_id"], unique=False)
    op.create_index("ix_cvat_line_sample_id", "cvat_line", ["sample_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_cvat_line_sample_id", table_name="cvat_line")
    op.drop_index("ix_cvat_line_after_id", table_name="cvat_line")
    op.drop_table("cvat_line")
    op.drop_index("ix_cvat_frame_sample_id", table_name="cvat_frame")
    op.drop_table("cvat_frame")
    op.drop_index("ix_cvat_pull_batch_id", table_name="cvat_pull")
    op.drop_table("cvat_pull")
    op.drop_table("cvat_label")
    op.drop_index("ix_cvat_batch_task_id", table_name="cvat_batch")
    op.drop_index("ix_cvat_batch_dataset_id", table_name="cvat_batch")
    op.drop_table("cvat_batch")
    op.drop_table("cvat_answer")
