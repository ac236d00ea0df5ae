"""The fixtures of whole detectors, by the name of their heads."""

HEADS = {
    "fcos": "mmdet_fcos_hrnetv2p_w18_gn",
    "faster_rcnn": "mmdet_faster_rcnn_hrnetv2p_w18",
    "mask_rcnn": "mmdet_mask_rcnn_hrnetv2p_w18",
    "cascade_mask_rcnn": "mmdet_cascade_mask_rcnn_hrnetv2p_w18",
    "htc": "mmdet_htc_hrnetv2p_w18",
}
