"""Drawn screenshots of security tools."""
