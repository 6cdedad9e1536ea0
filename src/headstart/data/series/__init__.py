"""Images that come in series: several photographs of one thing, kept together so that they cannot flatter a score."""
