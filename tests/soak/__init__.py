"""Many exchanges with faults against a real server, for many minutes; run by hand."""
