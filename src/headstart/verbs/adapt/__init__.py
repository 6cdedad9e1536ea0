"""From the domain that was labelled to the one that is used: `shift` measures, `adapt` makes a model for it."""
