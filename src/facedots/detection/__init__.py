"""Face detectors: each is a callable from an image to tight boxes."""
