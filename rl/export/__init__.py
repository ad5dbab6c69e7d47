"""A policy made ready to publish: plain transformers files and a model card of what its run recorded."""
