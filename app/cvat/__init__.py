"""The client side of CVAT: connection, wire format, shapes to masks. Knows no database."""
