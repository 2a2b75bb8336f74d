"""What masks, classes, flags and formats are. Pure: no web, no database, no torch."""
