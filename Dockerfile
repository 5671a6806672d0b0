# The reference server in a container: built in one stage, run in another that holds no compiler, no pip cache and no root.
#   docker build -t roomproof . && docker run -p 8765:8765 -v roomproof:/data roomproof
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE CHANGELOG.md ./
COPY protocol protocol
COPY server server
COPY conformance conformance
COPY loadtest loadtest
COPY docs/man docs/man
RUN python -m venv /opt/roomproof \
    && /opt/roomproof/bin/pip install --no-cache-dir --constraint constraints.txt --build-constraint constraints.txt '.[server]'

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin roomproof \
    && install -d -o roomproof -g roomproof -m 0700 /data
COPY --from=build /opt/roomproof /opt/roomproof
ENV PATH=/opt/roomproof/bin:$PATH PYTHONUNBUFFERED=1 ROOMPROOF_HOST=0.0.0.0
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8765
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8765/readyz', timeout=2)"]
ENTRYPOINT ["roomproof-server"]
