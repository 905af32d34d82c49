"""The outside world: pictures, annotations, results."""
