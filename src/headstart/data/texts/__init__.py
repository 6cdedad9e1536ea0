"""Texts: what a network takes of them, where they come from, and near duplicates among them."""
