"""Extend."""
