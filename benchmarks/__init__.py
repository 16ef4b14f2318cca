"""What chatcompat costs, beside its peers; run by hand. See README.md."""
