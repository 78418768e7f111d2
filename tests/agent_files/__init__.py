"""The agent's files on a real kernel: kills at every system call, bind mounts, two processes."""
