"""Face tracking: stable IDs and temporally smoothed keypoints."""
