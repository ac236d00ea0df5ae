"""How far away each pixel is: a task that exists in the tests alone."""
