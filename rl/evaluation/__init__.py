"""Evaluation outside a training run: suites, resumable sampling, scoring, and what the samples say."""
