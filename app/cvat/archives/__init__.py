"""Files for those without API access: CVAT's own zips, read and written, one format a module."""
