"""Persons out of KerasHub's detectors, before their non-maximum suppression."""

from keras import ops

CANDIDATES = 300  # boxes per image that are considered, those with the best scores as persons


def decode_persons(model, outputs, images, person):
    """Boxes and scores by the model's own rules, but without its NMS.

    That NMS would drop persons who overlap a likelier object of another class.
    """
    usual = model.prediction_decoder
    from_logits = getattr(usual, "from_logits", True)
    model.prediction_decoder = _Persons(model.bounding_box_format, from_logits, person)
    try:
        return model.decode_predictions(outputs, images)
    finally:
        model.prediction_decoder = usual


class _Persons:
    """Replaces an NMS: returns the boxes with the best scores as persons, and these scores."""

    def __init__(self, bounding_box_format, from_logits, person):
        self.bounding_box_format = bounding_box_format  # the model asks for it
        self.from_logits = from_logits
        self.person = person

    def __call__(self, boxes, classes, images=None):
        scores = classes[..., self.person]
        scores = ops.sigmoid(scores) if self.from_logits else scores
        scores, best = ops.top_k(scores, min(CANDIDATES, scores.shape[1]))
        boxes = ops.take_along_axis(boxes, ops.expand_dims(best, -1), axis=1)
        return {"boxes": boxes, "confidence": scores}
