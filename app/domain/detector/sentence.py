"""What seems wrong with a mask, told in one sentence by its worst region."""

from app.domain.detector.region import Reason

UNPLACED = "The mask is probably imprecise, though no single region of it stands out."
LIKELY = 0.5  # below this probability a sentence says "may be"


def sentence(
    reason: Reason,
    given: str,
    seen: str,
    pixels: int,
    box: tuple[int, int, int, int],
    frame: tuple[int, int],
    probability: float,
) -> str:
    """``given`` and ``seen``: class names; ``box``: left, top, width, height; ``frame``: height, width of the mask."""
    where, size = place(box, frame), f"{pixels:,} pixel{'' if pixels == 1 else 's'}"
    be = "is probably" if probability >= LIKELY else "may be"
    may = "probably" if probability >= LIKELY else "perhaps"
    match reason:
        case Reason.MISSING:
            return f"{seen} {be} missing {where}: {size}."
        case Reason.EXTRA:
            return f"{given} {where} {be} {seen} like what is around it: {size}."
        case Reason.SWAPPED:
            return f"{given} {where} {be} {seen}: {size}."
        case Reason.MOVED:
            return f"{given} {where} {be} drawn a few pixels off: {size}."
        case Reason.BOUNDARY:
            return f"{given} {where} {be} drawn too far into {seen}: {size}."
        case Reason.WHOLE:
            return f"The whole mask {be} wrong: most of it is seen otherwise."
        case Reason.FOREIGN:
            return f"Picture and mask are unlike the rest of the set; {may} they don't belong to it."


def place(box: tuple[int, int, int, int], frame: tuple[int, int]) -> str:
    """Where in the picture a box lies, in words: by the edge or corner that it touches, else by its middle."""
    x, y, width, height = box
    row = _third(y, height, frame[0], ("top", "", "bottom"))
    column = _third(x, width, frame[1], ("left", "", "right"))
    touches = x == 0 or y == 0 or x + width == frame[1] or y + height == frame[0]
    if row and column:
        return f"in the {row} {column} corner" if touches else f"at the {row} {column}"
    if not row and not column:
        return "in the middle"
    return f"at the {row or column} edge" if touches else f"towards the {row or column}"


def _third(start: int, length: int, of: int, names: tuple[str, str, str]) -> str:
    """Which third the middle lies in; one that spans nearly everything lies in the middle."""
    if length >= 0.8 * of:
        return names[1]
    return names[min(2, int(3 * (start + length / 2) / of))]
