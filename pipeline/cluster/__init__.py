"""Ray: the connection to a cluster, and the share of a machine that one worker process uses."""
