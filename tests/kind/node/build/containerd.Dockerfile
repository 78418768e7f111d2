ARG BASE
FROM $BASE
COPY containerd /
COPY prune /tmp/prune
ARG PAUSE
RUN sed -i "s|@PAUSE@|$PAUSE|" /etc/containerd/config.toml \
    && sh /tmp/prune containerd.service kubelet.service && rm /tmp/prune
