"""Recipe pages of pose networks."""
