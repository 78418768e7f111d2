# What both kinds of node share.
ARG BASE
FROM $BASE
COPY bin /usr/bin
COPY common /
COPY version /kind/version
# The documented way to stop systemd.
STOPSIGNAL SIGRTMIN+3
ENTRYPOINT ["/kind/entrypoint"]
