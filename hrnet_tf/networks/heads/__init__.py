"""What stands on the trunk, one file for each kind of output."""
