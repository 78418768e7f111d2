# Two images from one file, for BuildKit and for the legacy builder alike:
#
#   docker build --target operator -t docker.io/localregistry/operator:VERSION .
#   docker build --target agent    -t docker.io/localregistry/agent:VERSION .
#
# BASE_IMAGE may be any glibc image with Python >= 3.11 and pip. Where only the host reaches a
# package index: --network host. What depends on the source comes last in every stage.
#
# Two builds have the same files, each of SOURCE_DATE_EPOCH (--build-arg, seconds since 1970). Where
# BuildKit builds, `--output type=image,rewrite-timestamp=true` makes that one digest.
ARG BASE_IMAGE=docker.io/library/python:3.13-slim-trixie

# pip would compile with the date of each source in it; --no-compile is said at each call, since
# PIP_NO_COMPILE=1 means the opposite.
FROM ${BASE_IMAGE} AS base
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PYTHONHASHSEED=0
WORKDIR /src

# Of pyproject.toml only these lists decide whether anything has to be installed again.
FROM base AS requirements
COPY manifests/image/requirements.py pyproject.toml ./
RUN for list in build operator agent; do \
      python3 requirements.py pyproject.toml "$list" > "/$list.txt" || exit 1; \
    done

# The package alone, as pip installs it.
FROM base AS package
COPY --from=requirements /build.txt /build.txt
RUN python3 -m venv --without-pip /opt/build && \
    python3 -m pip --python /opt/build/bin/python3 install --no-compile -r /build.txt
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
RUN python3 -m pip --python /opt/build/bin/python3 install --no-compile \
      --no-deps --no-build-isolation --target /package . && \
    rm -rf /package/bin

# Compiled for each of the two as it is run: the agent with -OO.
FROM package AS operator-package
ARG SOURCE_DATE_EPOCH=0
RUN python3 -m compileall -q -f -s /package -p /opt/localregistry/package \
      --invalidation-mode unchecked-hash /package && \
    find /package -exec touch -hd "@${SOURCE_DATE_EPOCH}" {} +

FROM package AS agent-package
ARG SOURCE_DATE_EPOCH=0
RUN python3 -m compileall -q -f -o 2 -s /package -p /opt/localregistry/package \
      --invalidation-mode unchecked-hash /package && \
    find /package -exec touch -hd "@${SOURCE_DATE_EPOCH}" {} +

# The venv that both images start from: it looks for the package beside itself.
FROM base AS venv
RUN python3 -m venv --without-pip /opt/localregistry && \
    /opt/localregistry/bin/python3 -c "import sysconfig, pathlib; \
pathlib.Path(sysconfig.get_path('purelib'), 'localregistry.pth').write_text('/opt/localregistry/package\n')"

FROM venv AS agent-venv
COPY --from=requirements /agent.txt /agent.txt
ARG SOURCE_DATE_EPOCH=0
RUN python3 -m pip --python /opt/localregistry/bin/python3 install --no-compile -r /agent.txt && \
    python3 -m compileall -q -f -o 2 --invalidation-mode unchecked-hash /opt/localregistry/lib && \
    find /opt/localregistry -exec touch -hd "@${SOURCE_DATE_EPOCH}" {} +

FROM base AS agent-root
COPY manifests/image/agent_root.py ./
ARG SOURCE_DATE_EPOCH=0
RUN python3 agent_root.py /rootfs && \
    find /rootfs -exec touch -hd "@${SOURCE_DATE_EPOCH}" {} +

FROM scratch AS agent
COPY --from=agent-root /rootfs /
COPY --from=agent-venv /opt/localregistry /opt/localregistry
COPY --from=agent-package /package /opt/localregistry/package
# The agent edits files of the node's root and signals its daemons.
USER 0:0
# -OO: no docstring is kept in memory, 0.35 MiB on every node.
ENTRYPOINT ["/opt/localregistry/bin/python3", "-I", "-OO", "-m", "localregistry.cli"]
CMD ["agent"]
# Whatever the agent and the usage container import must be in this root.
RUN ["/opt/localregistry/bin/python3", "-I", "-OO", "-c", "import importlib, pkgutil, localregistry.cli, localregistry.agent as agent, localregistry.usage as usage; [importlib.import_module(module.name) for package in (agent, usage) for module in pkgutil.walk_packages(package.__path__, package.__name__ + '.') if not module.name.endswith('__main__')]"]
ARG VERSION=""
ARG REVISION=""
ARG CREATED=""
LABEL org.opencontainers.image.title="localregistry agent" \
      org.opencontainers.image.description="Configures a node's container runtime to pull from the cluster's own registries, and proves it" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.vendor="The LocalRegistry authors"

FROM venv AS operator-venv
COPY --from=requirements /operator.txt /operator.txt
ARG SOURCE_DATE_EPOCH=0
RUN python3 -m pip --python /opt/localregistry/bin/python3 install --no-compile -r /operator.txt && \
    python3 -m compileall -q -f -j 0 --invalidation-mode unchecked-hash /opt/localregistry/lib && \
    find /opt/localregistry -exec touch -hd "@${SOURCE_DATE_EPOCH}" {} +

FROM ${BASE_IMAGE} AS operator
COPY --from=operator-venv /opt/localregistry /opt/localregistry
COPY --from=operator-package /package /opt/localregistry/package
WORKDIR /
USER 65532:65532
ENTRYPOINT ["/opt/localregistry/bin/python3", "-I", "-m", "localregistry.cli"]
CMD ["run"]
ARG VERSION=""
ARG REVISION=""
ARG CREATED=""
LABEL org.opencontainers.image.title="localregistry operator" \
      org.opencontainers.image.description="Runs in-cluster image registries and makes every node able to pull from them" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.vendor="The LocalRegistry authors"
