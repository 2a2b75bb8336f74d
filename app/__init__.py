"""Remask: find the masks that hurt a segmentation model, fix them, measure whether it helped."""

__version__ = "0.1.0"
