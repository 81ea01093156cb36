"""What several docks share: workers, controls, what layers are."""
