"""Image files: which they are, and their pixels as they are stored (EXIF orientation is not applied)."""

from PIL import Image

from app.domain.formats.source import Source
from app.domain.picture import BadPicture, Picture, decode, open_image

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif")
_ORIENTATION = 0x0112
_TURNED = range(5, 9)


def is_image(name: str) -> bool:
    """Whether the name is that of an image file; its bytes may say otherwise."""
    return name.lower().endswith(SUFFIXES)


def single(image: Image.Image) -> Image.Image:
    """``image``, which holds one picture. Raises BadPicture for a stack of TIFF pages or a film."""
    if image.format in ("TIFF", "GIF"):
        try:
            count = getattr(image, "n_frames", 1)
        except Exception as error:  # a broken chain of pages
            raise BadPicture(f"broken image: {error}") from error
        if count > 1:
            raise BadPicture(f"a stack of {count} pictures; save each as a file of its own")
    return image


def read_picture(source: Source, name: str) -> Picture:
    """The picture in a file. Raises BadPicture or BadSource with the reason."""
    data = source.read(name)
    single(open_image(data)).close()
    return decode(data)


def size_mismatch(picture: Picture, mask: tuple[int, int], mask_file: str) -> str | None:
    """Why a mask of ``(height, width)`` doesn't fit its picture, or None where it does."""
    if mask == (picture.height, picture.width):
        return None
    reason = f"the mask is {mask[1]} x {mask[0]} but its image is {picture.width} x {picture.height} ({mask_file})"
    if mask == (picture.width, picture.height) and picture.original is not None:
        orientation = open_image(picture.original).getexif().get(_ORIENTATION)
        if orientation in _TURNED:
            reason += (
                f": the mask was drawn on the turned image (EXIF orientation {orientation}), but pixels are taken as "
                "stored; save the image turned, without that mark"
            )
    return reason
