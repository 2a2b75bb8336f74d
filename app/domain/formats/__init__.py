"""Annotation formats: bytes <-> (key, picture, mask, classes). No database."""
