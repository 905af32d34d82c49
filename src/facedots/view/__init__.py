"""Pictures for people: faces with their keypoints, a look inside networks, curves."""
