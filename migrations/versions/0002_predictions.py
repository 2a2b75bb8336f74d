"""predictions, regions and what learned from them

Revision: 0002, after 0001
"""

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
