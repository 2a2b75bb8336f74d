"""Exports: samples out to files that other tools read, one format a module, streaming, no database.

Each format is a module with ``write(out, samples, about)`` as in ``base.Write``. All write beside ``out`` first and
rename when whole, so a broken export leaves nothing behind, and none overwrites what is there.
"""
