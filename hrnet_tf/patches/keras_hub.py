"""Reads persons from KerasHub's detectors before their non-maximum suppression (NMS)."""

from keras import ops

CANDIDATES = 300  # boxes per image that are returned: those with the highest person scores


def decode_persons(model, outputs, images, person):
    """Boxes and scores as the model decodes them, but without its NMS.

    That NMS would drop a person who overlaps an object of another class with a higher score.
    """
    usual = model.prediction_decoder
    from_logits = getattr(usual, "from_logits", True)
    model.prediction_decoder = _Persons(model.bounding_box_format, from_logits, person)
    try:
        return model.decode_predictions(outputs, images)
    finally:
        model.prediction_decoder = usual


class _Persons:
    """Replaces an NMS: returns the boxes with the highest person scores, and these scores."""

    def __init__(self, bounding_box_format, from_logits, person):
        self.bounding_box_format = bounding_box_format  # the model reads this attribute
        self.from_logits = from_logits
        self.person = person

    def __call__(self, boxes, classes, images=None):
        scores = classes[..., self.person]
        scores = ops.sigmoid(scores) if self.from_logits else scores
        scores, best = ops.top_k(scores, min(CANDIDATES, scores.shape[1]))
        boxes = ops.take_along_axis(boxes, ops.expand_dims(best, -1), axis=1)
        return {"boxes": boxes, "confidence": scores}
