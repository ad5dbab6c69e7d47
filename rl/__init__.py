"""Learning: the top floor."""
