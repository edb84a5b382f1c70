"""Ray: where work runs, and what one worker process may use of a machine."""
