"""`hrnet-tf app`: a page in the browser that shows what a network finds."""

import os

from absl import flags

from hrnet_tf import fields
from hrnet_tf.cards import NAMES
from hrnet_tf.cli.command import Command, UsageError, model_flags, refuse_others, task_name
from hrnet_tf.cli.predict import (
    BOXES,
    DEFAULT_MODEL,
    drawing_values,
    kinds_of,
    open_or_explain,
    people_detector,
)
from hrnet_tf.tasks import options_of

USAGE = """\
  hrnet-tf app [--model=PRESET_OR_FILE]

Opens a network, prints the address of a page, and serves it until ^C. The page takes pictures,
videos and the webcam; files go to this process and nowhere else. Only this machine can open the
page, unless --host says otherwise: --host=0.0.0.0 lets everybody in its network send files to it.

  hrnet-tf app
  hrnet-tf app --model=tinypose_256x192 --detector=none
  hrnet-tf app --model=mask_rcnn_hrnet_w18_coco --classes=person,car
  hrnet-tf app --model=runs/mine/model_int8.tflite --port=8000

Videos need `pip install av`. Browsers give the webcam only to pages of this machine or of https.
"""
PARTS = ("OPTIONS", "VIDEO", "DRAWING")
ELSEWHERE = {"boxes", "show"}  # flags of `predict` without a meaning here


def _flags():
    values = model_flags(DEFAULT_MODEL)
    for kind in (*BOXES, *(kind for name in NAMES for kind in kinds_of(name, *PARTS))):
        fields.define(values, kind, skip=ELSEWHERE)
    flags.DEFINE_string("host", "127.0.0.1", "address to serve at", flag_values=values)
    text = "port to serve at; 0: a free one"
    flags.DEFINE_integer("port", 7860, text, lower_bound=0, upper_bound=65535, flag_values=values)
    return values


def _app(values, inputs):
    if inputs:
        raise UsageError(f"`app` takes flags; its page takes files. Received: {inputs[0]!r}.")
    for name in NAMES:  # wrong values are refused here, before Keras is imported
        fields.read(values, options_of(name).OPTIONS)
    name = task_name(values.model)
    known = {each: _known(each) for each in NAMES}
    refuse_others(values, name, values.model, known)
    from hrnet_tf.prediction.server import serve

    server = serve(_demonstrator(values, name), values.host, values.port)
    host, port = server.server_address[:2]
    print(f"Open http://{host}:{port} in a browser. ^C ends it.", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
    return 0


def _known(name):
    wants_boxes = getattr(options_of(name), "WANTS_BOXES", False)
    kinds = [*kinds_of(name, *PARTS), *(BOXES if wants_boxes else ())]
    return {each for kind in kinds for each in fields.names(kind)} - ELSEWHERE


def _demonstrator(values, name):
    """The network of the flags, ready to be shown."""
    import numpy as np

    from hrnet_tf.prediction.server import Demonstrator
    from hrnet_tf.tasks import task_named
    from hrnet_tf.tasks.detection.people import detected

    task = task_named(name)
    predictor = open_or_explain(values, task)
    predictor(np.zeros((64, 64, 3), np.uint8))  # compiles, so that the first picture need not wait
    detector = people_detector(values, predictor.card) if task.wants_boxes else None
    following = None
    if task.follow:
        given = {"detector": detector} if task.wants_boxes else {}
        following = fields.read(values, options_of(name).VIDEO, show=False), given
    return Demonstrator(
        os.path.basename(values.model),
        task,
        predictor,
        detected(detector, predictor.timings) if detector else None,
        drawing_values(values, name),
        following,
    )


APP = Command("show a network in the browser: pictures, videos, webcam", USAGE, _flags, _app)
