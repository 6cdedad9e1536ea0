"""Generated screenshots of security tools, to learn and to try Headstart with; see `generate`."""
