"""Which samples a filter means, in which order, asked so that a page of a large set reads no more rows than it must.

A condition that few samples meet is asked for first (``id IN ...``), one that many meet is tested while the samples are
walked in order (``EXISTS ...``): SQLite does as it is told. In the order of a check's scores the walk goes along those,
so many at a time, and only then looks at their samples: PostgreSQL would else join all that there are. What is tested
sample by sample doesn't name the dataset, lest SQLite take an index that begins with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

from sqlalchemy import Float, Select, Subquery, and_, exists, func, literal, select
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

    def __init__(self, session: Session, dataset_id: int, filter: Filter) -> None:
        self.filter = filter
        self._session = session
        self._dataset = dataset_id
        self.value = self._value()

    @property
    def none(self) -> bool:
        """Whether it is known that nothing matches."""
        split = "" if self.filter.split == "none" else self.filter.split
        return split is not None and split not in tallies.of_dataset(self._session, self._dataset, "split")

    def kept_count(self) -> int | None:
        """How many samples match, where that is known without looking at them."""
        filter = self.filter
        if self.none:
            return 0
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
        filter = self.filter
        if filter.scored_by is not None:
            scored = (Score.dataset_id == Sample.dataset_id, Score.sample_id == Sample.id)
            query = query.join(Score, and_(*scored, Score.check == filter.scored_by, of_current()))
            query = query.where(*self._within())
        if filter.by_class:
            shown = (SampleClass.dataset_id == self._dataset, SampleClass.class_id == filter.class_id)
            query = query.join(SampleClass, and_(SampleClass.sample_id == Sample.id, *shown))
        return query.where(*self._conditions(text))

    @cached_property
    def by_scores(self) -> bool:
        """Whether to walk along ``scores``: a check's scores have the samples in order, and not just few can match."""
        filter = self.filter
        return (
            filter.scored_by is not None
            and filter.group is None
            and filter.key is None
            and not self._rare("status", filter.status)
            and not (filter.split is not None and self._rare("split", ["" if filter.split == "none" else filter.split]))
            and not (filter.class_id is not None and self._rare("class", [str(filter.class_id)]))
            and not (filter.check is not None and self._few_checked)
        )

    def sort_flagged(self) -> bool:
        """From now on take the samples that the filter's check flags for few, if it asks for them."""
        if self.filter.check is None or self.filter.ranged:
            return False
        self._few_checked, self.by_scores = True, False
        return True

    def scores(self, part: ColumnElement[bool], backwards: bool = False) -> Select[float, int, int | None]:
        """Value, sample and revision of the scores that the samples are sorted by, in order, by an index alone."""
        query = select(Score.value.label("value"), Score.sample_id, Score.revision_id)
        query = query.where(Score.dataset_id == self._dataset, Score.check == self.filter.scored_by, part)
        return query.where(*self._within()).order_by(*self.order(backwards))

    def flags(self, start: int) -> Select[int, int | None]:
        """Sample and revision of what the filter's check has flagged, by sample, from the sample ``start`` on."""
        query = select(Flag.sample_id, Flag.revision_id).where(*self._flagged(), Flag.sample_id >= start)
        return query.order_by(Flag.sample_id)

    def shown(self) -> Select[Any]:
        """The samples that show the filter's class, in order, by an index alone."""
        of_class = (SampleClass.dataset_id == self._dataset, SampleClass.class_id == self.filter.class_id)
        return select(SampleClass.sample_id).where(*of_class).order_by(*self.order())

    def among(self, some: Subquery, *columns: Any, flagged: bool = False) -> Select[Any]:
        """``columns`` of the samples that match, of those that ``scores`` are about, that are ``shown``, or that
        ``flags`` are about where ``flagged``."""
        query = select(*columns).select_from(some).join(Sample, Sample.id == some.c.sample_id)
        if "revision_id" in some.c:
            query = query.where(of_current(some.c.revision_id))
        return query.where(*self._conditions(text=True, check=not flagged))

    def order(self, backwards: bool = False) -> tuple[Any, ...]:
        falls = (self.filter.sort != "key") != backwards
        ids_fall = (self.filter.sort == "newest") != backwards
        value, id = self.value, self._id
        return (value.desc() if falls else value.asc(), id.desc() if ids_fall else id.asc())

    def beyond(self, at: Place, backwards: bool = False) -> list[ColumnElement[bool]]:
        """What comes after ``at``, in order: the rest of its ties, and all with a later value. Each is a range of an
        index, so that a late page costs no more than an early one."""
        bound = literal(at[0], Float) if isinstance(at[0], float) else literal(at[0])
        falls = (self.filter.sort != "key") != backwards
        past = self.value < bound if falls else self.value > bound
        if self.filter.sort in ("key", "newest"):  # no two samples share one
            return [past]
        return [and_(self.value == bound, self._id < at[1] if backwards else self._id > at[1]), past]

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

    @property
    def _id(self) -> Any:
        """The sample's id, where the index that has the samples in order has it."""
        if self.filter.by_class:
            return SampleClass.sample_id
        return Score.sample_id if self.filter.scored_by is not None else Sample.id

    def _conditions(self, text: bool, check: bool = True) -> list[ColumnElement[bool]]:
        """What a sample has to meet, but for what it is sorted by."""
        filter = self.filter
        conditions = _plain(filter)
        if filter.class_id is not None and not filter.by_class:
            conditions.append(self._class_condition(filter.class_id))
        if filter.check is not None and check:
            conditions += self._check_conditions(filter.check)
        if filter.q and text:
            conditions.append(has_text(Sample.key, filter.q))
        return conditions

    def _class_condition(self, class_id: int) -> ColumnElement[bool]:
        if self._rare("class", [str(class_id)]):
            of_class = (SampleClass.dataset_id == self._dataset, SampleClass.class_id == class_id)
            return Sample.id.in_(select(SampleClass.sample_id).where(*of_class))
        shown = exists().where(SampleClass.sample_id == Sample.id, SampleClass.class_id == class_id)
        return shown.correlate(Sample)

    def _check_conditions(self, check: str) -> list[ColumnElement[bool]]:
        filter = self.filter
        if filter.ranged and filter.scored_by == check:
            return []  # the score that the samples are joined with says it
        if filter.ranged:
            scored = (Score.sample_id == Sample.id, Score.check == check, *self._range())
            told = exists().where(*scored, of_current()).correlate(Sample)
        else:
            flagged = (Flag.sample_id == Sample.id, Flag.check == check, Flag.state == "open")
            told = exists().where(*flagged, of_current(Flag.revision_id)).correlate(Sample)
        return [Sample.id.in_(self._checked()), told] if self._few_checked else [told]

    def _checked(self) -> Select[Any]:
        """The samples that the filter's check flagged or scored, of whichever mask that was."""
        filter = self.filter
        if not filter.ranged:
            return select(Flag.sample_id).where(*self._flagged())
        inside = (Score.dataset_id == self._dataset, Score.check == filter.check, *self._range())
        return select(Score.sample_id).where(*inside)

    @cached_property
    def _few_checked(self) -> bool:
        if self.filter.ranged and self.filter.scored_by == self.filter.check:
            return False
        some = self._checked().limit(FEW + 1).subquery()
        return (self._session.scalar(select(func.count()).select_from(some)) or 0) <= FEW

    def _rare(self, kind: str, names: Sequence[str]) -> bool:
        """Whether few samples are of one of the names that are given."""
        if not names:
            return False
        counts = tallies.of_dataset(self._session, self._dataset, kind)
        return sum(counts.get(one, (0, 0))[0] for one in names) <= FEW

    def _flagged(self) -> tuple[ColumnElement[bool], ...]:
        return (Flag.dataset_id == self._dataset, Flag.check == self.filter.check, Flag.state == "open")

    def _within(self) -> list[ColumnElement[bool]]:
        """The range of the scores that the samples are sorted by."""
        return self._range() if self.filter.scored_by == self.filter.check else []

    def _range(self) -> list[ColumnElement[bool]]:
        within = [Score.value >= self.filter.min] if self.filter.min is not None else []
        return within + ([Score.value <= self.filter.max] if self.filter.max is not None else [])


def of_current(revision: Any = Score.revision_id) -> ColumnElement[bool]:
    """The condition on a score, or what else has such a column: it is about the sample's picture or current mask.

    Not spelled with OR: PostgreSQL would take it for rare, and look for all that meet it where a page needs 60."""
    found: ColumnElement[bool] = func.coalesce(revision == Sample.current_id, revision.is_(None))
    return found


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
        if not filter.flagged:
            conditions.append(Sample.worst == 0.0)  # a range of the index by worst, past all that is flagged
    return conditions


def _likeliest_region() -> ColumnElement[Any]:
    """How likely the worst open region of the sample's mask is wrong; 0 without one."""
    worst = select(func.max(Region.probability)).where(Region.sample_id == Sample.id)
    worst = worst.where(Region.revision_id == Sample.current_id, Region.state == "open")
    return func.coalesce(worst.correlate(Sample).scalar_subquery(), 0.0)
