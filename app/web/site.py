"""The application: routes, error answers, access and static files put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import plotly
from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from app import __version__
from app.paths import STATIC
from app.settings import Settings
from app.store import jobs
from app.store.db import open_database
from app.store.tables import now
from app.web import (
    access,
    api,
    cvat_media,
    cvat_pages,
    errors,
    health,
    hooks,
    limits,
    login,
    media,
    metrics,
    pages,
    region_media,
    region_pages,
    run_pages,
    uploads,
    watch,
)
from app.web.api.models import Problem
from app.web.drawn import Cache
from app.web.templating import render

ABOUT = """Label status, review and export of segmentation datasets.

Errors are `application/problem+json` with a sentence in `detail`. Ids are whole numbers, times ISO UTC. An unsafe
request needs the `Origin` of this server, or a JSON body; off loopback every request needs
`Authorization: Bearer <token>`."""
PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
_FOR_A_YEAR = "public, max-age=31536000, immutable"


class Static(StaticFiles):
    """Our own files; a URL that carries the content's hash (``?v=``) never changes what it shows."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        answer.headers["Cache-Control"] = _FOR_A_YEAR if b"v=" in scope["query_string"] else "no-cache"
        return answer


def create_app(settings: Settings) -> FastAPI:
    """The application on ``settings.database``, made and migrated where needed. Raises as access.check_exposure."""
    tokens, guesses = access.check_exposure(settings), limits.Guesses()
    db = open_database(settings.database, settings.blobs)
    with db.read() as session:
        waiting = [Path(job.args["path"]) for job in jobs.lively(session, now()) if job.kind in ("import", "cvat_read")]
    uploads.sweep(settings.uploads.absolute(), waiting)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        db.close()

    app = FastAPI(
        title="Remask",
        version=__version__,
        description=ABOUT,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
    )
    app.state.db = db
    app.state.settings = settings
    app.state.tokens = tokens
    app.state.guesses = guesses
    app.state.thumbs = Cache()
    app.state.metrics = metrics.Metrics(db, settings.home)
    errors.install(app)
    app.add_middleware(access.Guard, settings=settings, tokens=tokens, guesses=guesses)
    app.add_middleware(watch.Watch, metrics=app.state.metrics)
    for router in (
        api.router,
        media.router,
        cvat_media.router,
        region_media.router,
        hooks.router,
        health.router,
        login.router,
        pages.router,
        run_pages.router,
        region_pages.router,
        cvat_pages.router,
    ):
        app.include_router(router)
    _add_reference(app)

    @app.get("/static/plotly.min.js", include_in_schema=False)
    def plotly_js(v: str = "") -> Response:
        caching = _FOR_A_YEAR if v else "no-cache"
        return FileResponse(PLOTLY, media_type="text/javascript", headers={"Cache-Control": caching})

    app.mount("/static", Static(directory=STATIC), name="static")
    return app


def _add_reference(app: FastAPI) -> None:
    """The API's schema, and a page that shows it without a script."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(title=app.title, version=app.version, description=ABOUT, routes=app.routes)
            schema["components"]["schemas"]["Problem"] = Problem.model_json_schema()
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the way FastAPI documents it

    @app.get("/openapi.json", include_in_schema=False)
    def schema() -> dict[str, Any]:
        return openapi()

    @app.get("/docs", include_in_schema=False)
    def reference(request: Request) -> HTMLResponse:
        return render(request, "reference.html", schema=openapi())
