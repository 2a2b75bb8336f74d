"""Pictures as arrays: decoded once, safely, and shown as 8 bit whatever they are."""

import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from app.domain.errors import Invalid

# Refused before a single pixel is decoded; about 1 GiB as RGB.
MAX_PIXELS = 350_000_000
Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # Pillow warns there and refuses at twice that
# What is read, whatever a file's name says. Pillow knows dozens more; some of them start other programs.
READ = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF")
STRIP = 1 << 22  # pixels
Pixels = npt.NDArray[np.generic]


class BadPicture(Invalid):
    """Bytes that are no picture that can be read, with the reason."""


@dataclass(frozen=True)
class Picture:
    """Decoded pixels, (H, W) or (H, W, C), and the bytes they came from.

    ``original`` is the file as received and ``codec`` its format in lower case (``png``, ``jpeg``, ``tiff``,
    ``webp``, ``bmp``, ...); both are None for a picture that came as an array.
    """

    pixels: Pixels
    original: bytes | None = None
    codec: str | None = None

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def channels(self) -> int:
        return 1 if self.pixels.ndim == 2 else int(self.pixels.shape[2])


def open_image(data: bytes) -> Image.Image:
    """The image in ``data``, header read, pixels not decoded yet. Raises BadPicture; refuses bombs."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data), formats=READ)
    except UnidentifiedImageError:
        raise BadPicture("not an image that can be read") from None
    except Image.DecompressionBombError:
        raise BadPicture(f"more than {MAX_PIXELS:,} pixels") from None
    except Exception as error:  # Pillow raises many kinds on broken headers
        raise BadPicture(f"broken image: {error}") from error
    if image.width * image.height > MAX_PIXELS:
        raise BadPicture(f"{image.width} x {image.height} is more than {MAX_PIXELS:,} pixels")
    return image


def strips(shape: tuple[int, ...]) -> Iterator[slice]:
    """The rows of something large, a few million pixels at a time, so that what is computed of it needs no second whole
    one in memory; of something small, all rows at once."""
    height, width = shape[:2]
    rows = max(1, STRIP // max(1, width))
    return (slice(top, min(top + rows, height)) for top in range(0, height, rows))


def array_of(image: Image.Image) -> Pixels:
    """The pixels of ``image`` as it holds them, copied strip by strip where there are many: Pillow's own way takes two
    more of all of them. Raises what Pillow does on broken files."""
    image.load()
    if image.width * image.height <= STRIP:
        return np.asarray(image)
    whole: Pixels | None = None
    for rows in strips((image.height, image.width)):
        part = np.asarray(image.crop((0, rows.start, image.width, rows.stop)))
        if whole is None:
            whole = np.empty((image.height, *part.shape[1:]), part.dtype)
        whole[rows] = part
    assert whole is not None  # noqa: S101  (there is at least one strip)
    return whole


def pixels_of(image: Image.Image) -> Pixels:
    """All pixels of ``image``; palettes and bilevel are expanded, 16 bit and float are kept."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if image.mode in ("P", "CMYK", "YCbCr", "LAB", "HSV", "PA", "RGBX", "La", "RGBa"):
                image = image.convert("RGBA" if "transparency" in image.info else "RGB")
            elif image.mode == "1":
                image = image.convert("L")
            array = array_of(image)
    except Exception as error:  # truncated files, bad chunks, unsupported compressions
        raise BadPicture(f"broken image: {error}") from error
    return array


def decode(data: bytes) -> Picture:
    """The picture in the bytes of an image file. Raises BadPicture with the reason."""
    image = open_image(data)
    codec = (image.format or "unknown").lower()
    return Picture(pixels_of(image), data, codec)


def to_display(pixels: Pixels, span: tuple[float, float] | None = None) -> npt.NDArray[np.uint8]:
    """8 bit to look at, (H, W) or (H, W, 3|4): uint8 as it is, anything else stretched from ``span``, or from its own
    where it is None; more than four channels show the first three."""
    shown = _shown(pixels)
    if shown.dtype == np.uint8:
        return shown.astype(np.uint8, copy=False)
    low, high = span_of(pixels) if span is None else span
    values = _finite(shown)
    if high <= low:
        return np.zeros(values.shape, np.uint8)
    stretched: npt.NDArray[np.uint8] = (np.clip((values - low) / (high - low), 0, 1) * 255 + 0.5).astype(np.uint8)
    return stretched


def span_of(pixels: Pixels) -> tuple[float, float]:
    """What ``to_display`` shows as black and as white: the 0.5th and the 99.5th percentile."""
    low, high = np.percentile(_finite(_shown(pixels)), (0.5, 99.5))
    return float(low), float(high)


def _shown(pixels: Pixels) -> Pixels:
    """The channels that are looked at."""
    if pixels.ndim == 3 and pixels.shape[2] not in (3, 4):
        return pixels[:, :, :3] if pixels.shape[2] > 4 else pixels[:, :, 0]
    return pixels


def _finite(pixels: Pixels) -> npt.NDArray[np.float32]:
    with np.errstate(over="ignore"):  # what 32 bit can't hold becomes infinite, and that shows as 0
        return np.nan_to_num(pixels.astype(np.float32), posinf=0.0, neginf=0.0)
