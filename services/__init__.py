"""Service files: one YAML file per service, and the typed definition that they are checked against."""
