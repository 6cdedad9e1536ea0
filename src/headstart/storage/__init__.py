"""What is kept on disk: whole files, rows in SQLite, file caches with a limit, locks, the inventory."""
