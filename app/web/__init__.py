"""The web: FastAPI only. Pages, the REST API, media and live progress; every rule they apply lives further down."""
