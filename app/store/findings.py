"""What checks found: a score for every sample, groups, and a flag where a score passes the threshold."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from app.domain.checks.base import Finding
from app.domain.checks.base import Group as FoundGroup
from app.store import standing
from app.store.tables import Flag, Group, Sample, Score

CHUNK = 1000


@dataclass(frozen=True)
class Ran:
    """Which check ran: its name and version, and what its flags are about, ``mask`` or ``image``; ``run``: the
    cross-validation whose predictions it judged by, None where it judged without a model."""

    check: str
    version: int
    subject: str
    run: int | None = None


@dataclass(frozen=True)
class Looked:
    """A sample that the check saw, and the revision that it saw of it (None: no mask); ``fold``: whose model said what
    it was judged by."""

    sample_id: int
    revision_id: int | None
    fold: int | None = None


def record(
    session: Session,
    dataset_id: int,
    ran: Ran,
    looked: Sequence[Looked],
    findings: Iterable[Finding],
    groups: Iterable[FoundGroup],
) -> int:
    """Replace this check's scores, groups and flags by what it found now; the number of open flags.

    A mask that was decided anew since the check looked keeps what the check said of the mask it saw. Flags that a
    person closed stay closed, unless a newer version of the check gives a higher score than the one they closed at.
    What a check said by a model's predictions of a mask stands until predictions judge that mask again.
    """
    revision_of = {one.sample_id: one.revision_id if ran.subject == "mask" else None for one in looked}
    fold_of = {one.sample_id: one.fold for one in looked}
    group_ids = _record_groups(session, dataset_id, ran.check, groups)
    for statement in _stale_scores(dataset_id, ran, looked):
        session.execute(statement)
    by_model = set() if ran.run is not None else _judged_by_model(session, dataset_id, ran.check)
    flags = _flags_by_subject(session, dataset_id, ran)
    scores: list[dict[str, Any]] = []
    touched: set[int] = set()
    open_count = 0
    for finding in findings:
        subject = revision_of[finding.sample]
        flag = flags.pop((finding.sample, subject), None)
        if subject in by_model:
            open_count += flag is not None and flag.state == "open"
            continue
        group_id = group_ids.get(finding.group or "")
        scores.append(
            {
                "dataset_id": dataset_id,
                "sample_id": finding.sample,
                "revision_id": subject,
                "check": ran.check,
                "version": ran.version,
                "value": finding.score,
                "run_id": ran.run,
                "fold": fold_of[finding.sample],
                "group_id": group_id,
            }
        )
        if not finding.flagged:
            if flag is not None and flag.state == "open":
                flag.state = "withdrawn"
                touched.add(finding.sample)
            continue
        if flag is None:
            flag = Flag(
                dataset_id=dataset_id, sample_id=finding.sample, revision_id=subject, check=ran.check, state="open"
            )
            session.add(flag)
        elif flag.state == "withdrawn" or (ran.version > flag.version and finding.score > flag.score):
            flag.state = "open"
        if flag.state == "open":
            open_count += 1
            touched.add(finding.sample)
            flag.version, flag.score, flag.reason, flag.group_id = ran.version, finding.score, finding.reason, group_id
    for start in range(0, len(scores), CHUNK):
        session.execute(insert(Score), scores[start : start + CHUNK])
    standing.refresh(session, sorted(touched))
    return open_count


def _record_groups(session: Session, dataset_id: int, check: str, groups: Iterable[FoundGroup]) -> dict[str, int]:
    """Fingerprint -> id. A group that is found again keeps its id; one that isn't has size 0 from now on."""
    of_check = (Group.dataset_id == dataset_id, Group.check == check)
    session.execute(update(Group).where(*of_check).values(size=0, flagged=False))
    known = {group.fingerprint: group for group in session.scalars(select(Group).where(*of_check))}
    for found in groups:
        group = known.get(found.fingerprint)
        if group is None:
            group = Group(dataset_id=dataset_id, check=check, fingerprint=found.fingerprint)
            session.add(group)
            known[found.fingerprint] = group
        group.size, group.score = len(found.members), found.score
        group.flagged, group.reason = found.flagged, found.reason
    session.flush()
    return {fingerprint: group.id for fingerprint, group in known.items()}


def _stale_scores(dataset_id: int, ran: Ran, looked: Sequence[Looked]) -> Iterator[Any]:
    """Delete the scores about pictures and current masks; those of superseded masks are history. By a model: all of the
    masks that were looked at; without one: those that no model gave."""
    of_check = delete(Score).where(Score.dataset_id == dataset_id, Score.check == ran.check)
    if ran.run is None:
        current = select(Sample.current_id).where(Sample.dataset_id == dataset_id, Sample.current_id.is_not(None))
        yield of_check.where(Score.run_id.is_(None), Score.revision_id.is_(None) | Score.revision_id.in_(current))
        return
    seen = [one.revision_id for one in looked]
    for start in range(0, len(seen), CHUNK):
        yield of_check.where(Score.revision_id.in_(seen[start : start + CHUNK]))


def _judged_by_model(session: Session, dataset_id: int, check: str) -> set[int | None]:
    """The revisions of which a model's predictions told the check's score."""
    query = select(Score.revision_id).where(Score.dataset_id == dataset_id, Score.check == check)
    return set(session.scalars(query.where(Score.run_id.is_not(None))))


def _flags_by_subject(session: Session, dataset_id: int, ran: Ran) -> dict[tuple[int, int | None], Flag]:
    query = select(Flag).where(Flag.dataset_id == dataset_id, Flag.check == ran.check)
    return {(flag.sample_id, flag.revision_id): flag for flag in session.scalars(query)}
