"""What is shown of a result: pages, plots, and numbers in words."""
