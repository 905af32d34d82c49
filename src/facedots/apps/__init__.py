"""What the keypoints are for. An effect is called with a picture and the faces in it, and returns a new picture."""
