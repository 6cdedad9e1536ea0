"""Where data come from: folders, tables, lists, datasets of the hub."""
