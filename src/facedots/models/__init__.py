"""Networks to train. Each carries its :class:`~facedots.spec.ModelSpec`."""
