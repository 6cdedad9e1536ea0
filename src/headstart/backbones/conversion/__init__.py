"""Turning a torch network into a graph with named taps. Needs the extra `finetune`."""
