from hypothesis import given
from hypothesis import strategies as st

from app.domain.status import WHY, Facts, Status, status_of

FACTS = st.builds(
    Facts,
    has_mask=st.booleans(),
    excluded=st.booleans(),
    conflict=st.booleans(),
    at_cvat=st.booleans(),
    pending=st.booleans(),
    open_flags=st.integers(0, 3),
    confirmed=st.booleans(),
    changed=st.booleans(),
)


@given(FACTS)
def test_the_strongest_fact_decides(facts: Facts) -> None:
    confirmed = facts.has_mask and facts.confirmed
    holds = {
        Status.EXCLUDED: facts.excluded,
        Status.CONFLICT: facts.conflict,
        Status.AT_CVAT: facts.at_cvat,
        Status.SUGGESTED: facts.pending,
        Status.FLAGGED: facts.open_flags > 0,
        Status.CORRECTED: confirmed and facts.changed,
        Status.ACCEPTED: confirmed and not facts.changed,
        Status.UNREVIEWED: facts.has_mask and not facts.confirmed,
        Status.UNLABELED: not facts.has_mask,
    }
    assert status_of(facts) is next(status for status in Status if holds[status])


def test_every_status_says_why() -> None:
    assert set(WHY) == set(Status)
