"""One use case a module: plain functions that own the transaction and know no queue."""
