"""Pictures for people: keypoints on faces, the inside of networks, curves of training."""
