"""The comparison between ways of transferring, and an honest number for the winner."""
