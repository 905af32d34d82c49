"""Who finds the faces. Every detector is a callable: picture in, tight boxes around the expected keypoints out."""
