"""Service files: one YAML per service, and the typed definition they are checked against."""
