"""Which samples a filter means, in which order, asked so that a page of a large set reads no more rows than it must.

A condition that few samples meet is asked for first (``id IN ...``), one that many meet is tested while the samples are
walked in order (``EXISTS ...``): SQLite does as it is told, PostgreSQL knows by itself. What is tested sample by sample
doesn't name the dataset, lest SQLite take an index that begins with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from sqlalchemy import Float, Select, and_, exists, func, literal, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.sql.elements import ColumnElement

from app.domain.status import Status
from app.store import groups, tallies
from app.store.tables import Flag, Region, Sample, SampleClass, Score

Sort = Literal["worst", "key", "newest", "region"]
SORTS: tuple[str, ...] = get_args(Sort)
FEW = 10_000  # samples that are rather sorted than looked for

Value = float | str | int
Place = tuple[Value, int]  # what a page is sorted by, and the sample's id


@dataclass(frozen=True)
class Filter:
    """Which samples. All that is given has to hold.

    ``check`` alone: samples with an open flag of that check; with ``min`` or ``max``: samples, flagged or not, whose
    score of that check lies in [min, max]. ``split`` "none" means samples without one; ``q`` is text in the key,
    ``key`` all of it. ``sort`` is one of SORTS or the name of a check, by whose score samples then come, worst first;
    those that it never scored are left out. "region": by the likeliest open region, those without one last.
    """

    status: tuple[str, ...] = ()
    check: str | None = None
    class_id: int | None = None
    split: str | None = None
    min: float | None = None
    max: float | None = None
    q: str | None = None
    group: int | None = None
    sort: str = "worst"
    key: str | None = None
    flagged: bool | None = None

    @property
    def scored_by(self) -> str | None:
        """The check by whose score the samples are sorted, None where they are sorted by something else."""
        return (self.check if self.sort == "worst" else None) if self.sort in SORTS else self.sort

    @property
    def by_class(self) -> bool:
        """Whether the rows by class have the samples in order."""
        return self.class_id is not None and self.check is None and self.sort == "worst"

    @property
    def ranged(self) -> bool:
        return self.min is not None or self.max is not None


class Matching:
    """A filter on one dataset, for one query after the other in one session."""

    def __init__(self, session: Session, dataset_id: int, filter: Filter, few: bool = False) -> None:
        """``few``: take the flagged for few, unasked."""
        self.filter = filter
        self._known_few = few
        self._session = session
        self._dataset = dataset_id
        self.value = self._value()

    def kept_count(self) -> int | None:
        """How many samples match, where that is known without looking at them."""
        filter = self.filter
        if filter == Filter(status=filter.status, sort=filter.sort) and filter.scored_by is None:
            counts = tallies.of_dataset(self._session, self._dataset, "status")
            wanted = filter.status or [one for one in counts if one != Status.EXCLUDED]
            return sum(counts.get(one, (0, 0))[0] for one in set(wanted))
        if filter == Filter(class_id=filter.class_id, sort=filter.sort) and filter.scored_by is None:
            return tallies.of_dataset(self._session, self._dataset, "class").get(str(filter.class_id), (0, 0))[0]
        return None

    def samples(self, *columns: Any, text: bool = True) -> Select[Any]:
        """``columns`` of the samples that match; ``text``: those of the key too."""
        query = select(*columns).select_from(Sample).where(Sample.dataset_id == self._dataset)
        query = query.where(*_plain(self.filter))
        filter = self.filter
        if filter.scored_by is not None:
            scored = (Score.dataset_id == Sample.dataset_id, Score.sample_id == Sample.id)
            query = query.join(Score, and_(*scored, Score.check == filter.scored_by, of_current()))
        if filter.by_class:
            shown = (SampleClass.dataset_id == self._dataset, SampleClass.class_id == filter.class_id)
            query = query.join(SampleClass, and_(SampleClass.sample_id == Sample.id, *shown))
        elif filter.class_id is not None:
            query = query.where(self._class_condition(filter.class_id))
        if filter.check is not None:
            query = query.where(*self._check_conditions(filter.check))
        if filter.q and text:
            query = query.where(has_text(Sample.key, filter.q))
        return query

    def order(self, backwards: bool = False) -> tuple[Any, ...]:
        falls = (self.filter.sort != "key") != backwards
        ids_fall = (self.filter.sort == "newest") != backwards
        value, id = self.value, SampleClass.sample_id if self.filter.by_class else Sample.id
        return (value.desc() if falls else value.asc(), id.desc() if ids_fall else id.asc())

    def beyond(self, at: Place, backwards: bool = False) -> list[ColumnElement[bool]]:
        """What comes after ``at``, in order: the rest of its ties, and all with a later value. Each is a range of an
        index, so that a late page costs no more than an early one."""
        bound = literal(at[0], Float) if isinstance(at[0], float) else literal(at[0])
        falls = (self.filter.sort != "key") != backwards
        past = self.value < bound if falls else self.value > bound
        if self.filter.sort in ("key", "newest"):  # no two samples share one
            return [past]
        id = SampleClass.sample_id if self.filter.by_class else Sample.id
        return [and_(self.value == bound, id < at[1] if backwards else id > at[1]), past]

    def _value(self) -> InstrumentedAttribute[Any] | ColumnElement[Any]:
        match self.filter.sort:
            case "key":
                return Sample.key
            case "newest":
                return Sample.id
            case "region":
                return _likeliest_region()
        if self.filter.by_class:
            return SampleClass.worst
        return Score.value if self.filter.scored_by is not None else Sample.worst

    def _class_condition(self, class_id: int) -> ColumnElement[bool]:
        if tallies.of_dataset(self._session, self._dataset, "class").get(str(class_id), (0, 0))[0] <= FEW:
            of_class = (SampleClass.dataset_id == self._dataset, SampleClass.class_id == class_id)
            return Sample.id.in_(select(SampleClass.sample_id).where(*of_class))
        shown = exists().where(SampleClass.sample_id == Sample.id, SampleClass.class_id == class_id)
        return shown.correlate(Sample)

    def _check_conditions(self, check: str) -> Sequence[ColumnElement[bool]]:
        filter = self.filter
        if not filter.ranged:
            flagged = [Flag.check == check, Flag.state == "open"]
            about = or_(Flag.revision_id.is_(None), Flag.revision_id == Sample.current_id)
            told = exists().where(Flag.sample_id == Sample.id, *flagged, about).correlate(Sample)
            all_of_them = select(Flag.sample_id).where(Flag.dataset_id == self._dataset, *flagged)
            if self._known_few:
                # A list that has to be walked through, where SQLite would go through all samples and look each up.
                return [Sample.id == all_of_them.distinct().subquery().c.sample_id, told]
            return [Sample.id.in_(all_of_them), told] if self._few(all_of_them) else [told]
        within = [Score.value >= filter.min] if filter.min is not None else []
        within += [Score.value <= filter.max] if filter.max is not None else []
        if filter.scored_by == check:  # the score that the samples are joined with
            return within
        inside = [Score.check == check, *within]
        told = exists().where(Score.sample_id == Sample.id, *inside, of_current()).correlate(Sample)
        all_of_them = select(Score.sample_id).where(Score.dataset_id == self._dataset, *inside)
        return [Sample.id.in_(all_of_them), told] if self._few(all_of_them) else [told]

    def _few(self, query: Select[Any]) -> bool:
        return (self._session.scalar(select(func.count()).select_from(query.limit(FEW + 1).subquery())) or 0) <= FEW


def of_current() -> ColumnElement[bool]:
    """The condition on a score: it is about the sample's picture or current mask."""
    return or_(Score.revision_id.is_(None), Score.revision_id == Sample.current_id)


def has_text(key: Any, text: str) -> ColumnElement[bool]:
    found: ColumnElement[bool] = key.icontains(text, autoescape=True)
    return found


def _plain(filter: Filter) -> list[ColumnElement[bool]]:
    """The conditions on columns of the sample itself, and on its groups."""
    conditions: list[ColumnElement[bool]] = []
    if filter.status:
        conditions.append(Sample.status.in_(filter.status))
    elif filter.group is None and filter.key is None:
        conditions.append(Sample.status != Status.EXCLUDED.value)  # as the index on status has it
    if filter.split is not None:
        conditions.append(Sample.split.is_(None) if filter.split == "none" else Sample.split == filter.split)
    if filter.group is not None:
        conditions.append(groups.has(filter.group))
    if filter.key is not None:
        conditions.append(Sample.key == filter.key)
    if filter.flagged is not None:
        conditions.append(Sample.worst_check.is_not(None) if filter.flagged else Sample.worst_check.is_(None))
    return conditions


def _likeliest_region() -> ColumnElement[Any]:
    """How likely the worst open region of the sample's mask is wrong; 0 without one."""
    worst = select(func.max(Region.probability)).where(Region.sample_id == Sample.id)
    worst = worst.where(Region.revision_id == Sample.current_id, Region.state == "open")
    return func.coalesce(worst.correlate(Sample).scalar_subquery(), 0.0)
