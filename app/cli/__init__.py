"""The command line: the same flows as the browser's and the REST API's."""
