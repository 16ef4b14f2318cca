"""Benchmarks of chatcompat and its peers. Run by hand; see README.md."""
