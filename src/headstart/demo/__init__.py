"""Data to try Headstart on: solar cells, drawn screenshots."""
