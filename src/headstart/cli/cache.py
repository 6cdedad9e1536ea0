"""`headstart cache`: what is cached of earlier runs, and clearing it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from headstart.storage.inventory import CachedFiles


@click.command("cache")
@click.option("--clear", is_flag=True, help="Remove all of it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(clear: bool, as_json: bool) -> None:
    """Show what is cached of earlier runs: embeddings (one file a backbone), compiled networks, activations of frozen
    layers and checkpoints (for fine-tuning), heads' scores, and thumbnails.

    All of it can be made again. HEADSTART_CACHE names another folder, HEADSTART_CACHE_GB the most that one backbone's
    embeddings may take (4 GB), HEADSTART_ACTIVATIONS_GB the most that all activations may take (8 GB).
    """
    from headstart.cli import show
    from headstart.embed.embedding_cache import default_limit
    from headstart.storage import inventory
    from headstart.storage.folders import cache_folder

    limit = default_limit()
    if clear:
        freed = inventory.clear_cache()
        if as_json:
            show.as_json({"cleared": freed, "folder": str(cache_folder())})
        else:
            show.paragraph(f"{freed / 1e6:,.1f} MB cleared from {cache_folder()}")
        return
    files = inventory.cached_files()
    if as_json:
        records = [{"file": str(f.path), "rows": f.rows, "bytes": f.bytes} for f in files]
        show.as_json({"folder": str(cache_folder()), "limit": limit, "files": records})
        return
    rows = [(str(f.path.relative_to(cache_folder())), _rows(f), f"{f.bytes / 1e6:,.1f}") for f in files]
    total = sum(f.bytes for f in files) / 1e6
    show.paragraph(f"{total:,.1f} MB in {cache_folder()}; at most {limit / 1e9:g} GB of embeddings a backbone")
    if rows:
        show.table(("file", "images", "MB"), rows, right=(1, 2), paths=(0,))


def _rows(file: CachedFiles) -> str:
    return "" if file.rows is None else f"{file.rows:,}"
