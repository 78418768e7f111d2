ARG BASE
FROM $BASE
RUN apt-get update \
    && apt-get install -y --no-install-recommends docker.io docker-cli \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY bin /usr/bin
COPY docker /
COPY scripts/runc-nocap /kind/runc-nocap
COPY prune /tmp/prune
ARG PAUSE
RUN sed -i "s|@PAUSE@|$PAUSE|" /etc/systemd/system/cri-docker.service \
    && sh /tmp/prune containerd.service docker.service cri-docker.service kubelet.service \
    && rm /tmp/prune
COPY images.tar /kind/images.tar
