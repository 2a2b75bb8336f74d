"""Which format real sources are taken for, when nobody says."""

import pytest

from app.domain.formats import registry
from app.domain.formats.source import open_source
from tests.shared import shared

FORMATS = {
    "coco": [
        "datumaro_assets/coco_dataset/coco",
        "datumaro_assets/coco_dataset/coco_captions",
        "datumaro_assets/coco_dataset/coco_image_info",
        "datumaro_assets/coco_dataset/coco_instances",
        "datumaro_assets/coco_dataset/coco_labels",
        "datumaro_assets/coco_dataset/coco_person_keypoints",
        "datumaro_assets/coco_dataset/coco_stuff",
        "coco_panopticapi_sample",
        "cocoapi_results",
        "labelformat_instance_segmentation",
        "labelme_examples/instance_segmentation/data_dataset_coco",
    ],
    "panoptic": ["datumaro_assets/coco_dataset/coco_panoptic", "datumaro_assets/mapillary_vistas_dataset/v2.0"],
    "cvat_images": [
        "cvat_real_export_cgras",
        "cvat_real_export_garbage",
        "datumaro_assets/cvat_dataset/for_images",
        "datumaro_assets/cvat_dataset/for_video",
    ],
    "datumaro": [
        "datumaro_assets/datumaro_dataset/diverse",
        "datumaro_assets/datumaro_dataset/with_pcd",
        "datumaro_assets/datumaro_dataset/with_skeleton",
    ],
    "labelme": [
        "datumaro_assets/labelme_dataset",
        "labelme_examples/semantic_segmentation/data_annotated",
        "labelme_examples/instance_segmentation/data_annotated",
        "labelme_examples/tutorial",
    ],
    "yolo": [
        "datumaro_assets/yolo_dataset/yolo",
        "datumaro_assets/yolo_dataset/yolov8_detection",
        "datumaro_assets/yolo_dataset/yolov8_pose",
        "datumaro_assets/yolo_dataset/yolov8_segmentation",
        "labelformat_instance_segmentation/YOLOv8",
    ],
    "voc": [
        "datumaro_assets/voc_dataset/voc_dataset1",
        "datumaro_assets/voc_dataset/voc_dataset2",
        "datumaro_assets/voc_dataset/voc_dataset3",
        "labelformat_other",
        "labelme_examples/semantic_segmentation/data_dataset_voc",
    ],
    "cityscapes": ["datumaro_assets/cityscapes_dataset/dataset", "datumaro_assets/cityscapes_dataset/train_dataset"],
    "pairs": [
        "colour_masks_png",
        "keras_segmentation_example",
        "datumaro_assets/common_semantic_segmentation_dataset/dataset",
        "datumaro_assets/camvid_dataset",
        "datumaro_assets/synthia_dataset/dataset_with_custom_labelmap",
        "datumaro_assets/kitti_dataset/kitti_segmentation",
    ],
}


@pytest.mark.parametrize(("name", "format"), [(name, format) for format, names in FORMATS.items() for name in names])
def test_real_sources(name: str, format: str) -> None:
    assert format == registry.detect(open_source(shared(f"data/formats/{name}"))).NAME


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("CVAT_for_images_1.1_images.zip", "cvat_images"),
        ("COCO_1.0_images.zip", "coco"),
        ("Datumaro_1.0_images.zip", "datumaro"),
        ("Segmentation_mask_1.1_images.zip", "voc"),
    ],
)
def test_zips_from_cvat(name: str, format: str) -> None:
    source = open_source(shared(f"cvat/exports/capture_sdk2.80.0/{name}"))
    assert format == registry.detect(source).NAME
    source.close()
