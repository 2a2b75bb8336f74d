"""The database: SQLAlchemy only. Functions take a Session and never commit."""
