"""What is inside a converted file, what runs it, how fast and how well."""
