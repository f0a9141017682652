"""Training recipes shipped with the package (YAML)."""
