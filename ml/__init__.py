"""A small trainer for semantic segmentation that is read from top to bottom: start with ``train.py``.

It imports nothing of the app and is used alone: ``python -m ml.train SNAPSHOT --out DIR``. ``config``, ``container``,
``snapshot``, ``predictions``, ``split`` and ``errors`` need numpy only; torch is imported by the rest.
"""
