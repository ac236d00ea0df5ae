"""How segmentation networks are judged."""
