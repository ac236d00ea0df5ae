"""What the channels of a network mean, as data: keypoints and classes. No Keras here."""
