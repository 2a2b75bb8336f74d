# Remask as one image for web and workers: docker build -t remask .
# TORCH=cuda takes the wheels for NVIDIA GPUs (gigabytes more) in place of those for processors.
ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS build
ARG TORCH=cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/remask
WORKDIR /src
# What it depends on first: this layer is kept until these two files change.
COPY pyproject.toml constraints.txt ./
RUN if [ "$TORCH" = cpu ]; then export PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu; fi \
    && python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
print(*p['dependencies'], *p['optional-dependencies']['s3'], sep='\n')" > wanted.txt \
    && /opt/remask/bin/pip install -c constraints.txt -r wanted.txt
COPY README.md LICENSE ./
COPY app app
COPY ml ml
COPY migrations migrations
COPY static static
COPY templates templates
RUN /opt/remask/bin/pip install --no-deps .

FROM python:${PYTHON}
# pg_dump and pg_restore, for `remask backup` and `remask restore` on PostgreSQL.
RUN apt-get update \
    && apt-get install -y --no-install-recommends postgresql-client \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home remask \
    && install -d -o remask -g remask /data
COPY --from=build /opt/remask /opt/remask
ENV PATH=/opt/remask/bin:$PATH PYTHONUNBUFFERED=1 \
    REMASK_HOME=/data REMASK_HOST=0.0.0.0 REMASK_PORT=8000 REMASK_LOG=json
USER remask
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["remask"]
CMD ["serve"]
