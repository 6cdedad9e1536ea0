"""Exact and near duplicates, their groups, and thumbnails to find them by."""
