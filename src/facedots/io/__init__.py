"""The outside world: images, annotations, results."""
