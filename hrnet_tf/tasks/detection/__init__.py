"""Objects of pictures: boxes, classes, masks; and the boxes of people that pose needs."""
