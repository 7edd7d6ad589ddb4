"""Values of scikit-learn and torchmetrics for test/train/metrics.test.ts: python3 test/golden/make_metrics.py

Needs torch, scikit-learn and torchmetrics.
"""

import json
import pathlib

import torch

library = torch.library.Library("torchvision", "DEF")  # torchmetrics imports torchvision where it is installed
for name in ["nms", "qnms"]:
    library.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
for name in ["roi_align", "ps_roi_align", "roi_pool", "ps_roi_pool", "deform_conv2d"]:
    library.define(name + "(Tensor input) -> Tensor")

from sklearn import metrics as sk  # noqa: E402
from torchmetrics.functional import classification as tm  # noqa: E402


def case(seed, rows, classes, spread, absent=()):
    torch.manual_seed(seed)
    labels = torch.randint(classes, (rows,))
    for label in absent:
        labels[labels == label] = (label + 1) % classes
    # Rounded, so that some scores are equal.
    logits = (spread * torch.randn(rows, classes) + 1.5 * torch.nn.functional.one_hot(labels, classes)).mul(64).round() / 64
    probabilities = logits.softmax(1)
    predicted = logits.argmax(1)
    present = sorted(set(labels.tolist()))
    areas = [
        sk.roc_auc_score(labels == c, probabilities[:, c]) if c in present else None for c in range(classes)
    ]
    support = [int((labels == c).sum()) for c in range(classes)]
    known = [(area, count) for area, count in zip(areas, support) if area is not None]
    result = {
        "topK": {str(k): tm.multiclass_accuracy(logits, labels, classes, average="micro", top_k=k).item() for k in [1, 2, 5] if k <= classes},
        "meanLoss": sk.log_loss(labels, probabilities.double(), labels=range(classes)),
        "auroc": {
            "macro": sum(area for area, _ in known) / len(known),
            "weighted": sum(area * count for area, count in known) / sum(count for _, count in known),
        },
        "aurocPerClass": areas,
        "calibrationError": {
            norm: {
                str(bins): tm.multiclass_calibration_error(logits, labels, classes, n_bins=bins, norm=norm).item()
                for bins in [10, 15]
            }
            for norm in ["l1", "l2", "max"]
        },
        "confusion": sk.confusion_matrix(labels, predicted, labels=range(classes)).tolist(),
    }
    if not absent:
        torchmetrics = tm.multiclass_auroc(logits, labels, classes, average="macro").item()
        assert abs(torchmetrics - result["auroc"]["macro"]) < 1e-6
    values = sk.precision_recall_fscore_support(labels, predicted, labels=range(classes), zero_division=0)
    result["perClass"] = dict(zip(["precision", "recall", "f1", "support"], [v.tolist() for v in values]))
    for average in ["macro", "weighted", "micro"]:
        values = sk.precision_recall_fscore_support(labels, predicted, average=average, zero_division=0)
        result[average] = dict(zip(["precision", "recall", "f1"], values[:3]))
    return {"logits": logits.tolist(), "labels": labels.tolist(), "results": result}


cases = [case(1, 200, 6, 1.0), case(2, 150, 10, 2.0, absent=[3, 7]), case(3, 40, 2, 0.7)]
path = pathlib.Path(__file__).parent / "metrics.json"
path.write_text(json.dumps(cases) + "\n")
print(path.stat().st_size, "bytes")
