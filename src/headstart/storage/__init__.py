"""Everything that is kept on disk: whole files, arrays, rows in SQLite, file caches, locks, the inventory."""
