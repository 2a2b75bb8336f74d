"""A picture with its mask in a file of its own, as VOC and Cityscapes lay them out."""

from collections.abc import Callable

import numpy as np

from app.domain.errors import RemaskError
from app.domain.formats.base import Labelled, Refused
from app.domain.formats.frames import BadDocument, Frames
from app.domain.formats.image_files import size_mismatch
from app.domain.formats.index import Drawn, open_mask
from app.domain.mask import Mask


def drawn_sample(
    frames: Frames,
    image: str,
    file: str | None,
    split: str | None,
    ids: Callable[[Drawn], Mask],
    meant: Callable[[Mask], Mask],
    tail: str = "",
) -> Labelled | Refused:
    """The picture ``image`` with the mask in ``file`` (None: unlabelled); what can't be read is refused by its name.

    ``ids`` tells the ids of what is drawn, ``meant`` what they mean here; both raise a RemaskError. The key is the
    picture's without ``tail``.
    """
    try:
        key = frames.claim(image).removesuffix(tail)
        picture = frames.open(image, None)
        if file is None:
            return Labelled(key, picture, None, image, split)
    except RemaskError as error:
        return Refused(image, str(error))
    try:
        data = frames.source.read(file)
        drawn = open_mask(data)
        mask = ids(drawn)
        if reason := size_mismatch(picture, (mask.shape[0], mask.shape[1]), image):
            raise BadDocument(reason)
        mask = meant(mask)
    except RemaskError as error:
        return Refused(file, str(error))
    exact = drawn.exact and np.array_equal(mask, drawn.values)
    return Labelled(key, picture, mask, image, split, data if exact else None)
