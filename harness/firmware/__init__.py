"""QModel -> C sources -> firmware images."""
