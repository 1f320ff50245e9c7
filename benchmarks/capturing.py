"""Captures public architectures: which ones, how long it takes, and why others fail.

    python benchmarks/capturing.py [--names timm:resnet152 timm:efficientnet_b4 ...]

One model of each of timm's and torchvision's families, which are modules of their source: the one
with the fewest parameters. Weights are random, inputs the smallest square of SIZES that the model
itself runs on, or its own size, or short clips where it reads no images. A captured network is
compared with its model at batch sizes that it was not captured with. `same` is the largest
difference of outputs, relative to the largest output; "-" stands where there is no network, and the
reason below. On one core.

--names captures these only, at their own size; `in all` is then how long they take together.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import timm
import torch
import torchvision
from torch import Tensor, nn

from netstitch.errors import CaptureError
from netstitch.networks import capture
from netstitch.networks.sources.model_sources import load_model

SIZES = (64, 96, 128, 160, 192, 224)
CLIPS = ((8, 64, 64), (16, 224, 224))
"""Frames and their sizes, for networks that read no single images."""
BATCHES = (1, 3)


def smallest_of_families() -> Iterator[str]:
    """`timm:NAME` and `torchvision:NAME`, in alphabetical order of the families."""
    families = {name: timm.list_models(module=name) for name in timm.list_modules()}
    for names in families.values():
        if names:
            yield f"timm:{min(names, key=_timm_size)}"
    by_module = defaultdict(list)
    for name in torchvision.models.list_models():
        module = torchvision.models.get_model_builder(name).__module__
        by_module[module.removeprefix("torchvision.models.")].append(name)
    for _, names in sorted(by_module.items()):
        yield f"torchvision:{min(names, key=_torchvision_size)}"


def _timm_size(name: str) -> float:
    """Number of parameters."""
    try:
        with torch.device("meta"):
            return _parameters(timm.create_model(name, pretrained=False))
    except Exception:  # some cannot be built without memory
        return float("inf")


def _torchvision_size(name: str) -> float:
    weights = list(torchvision.models.get_model_weights(name))
    return min((each.meta["num_params"] for each in weights), default=float("inf"))


def _parameters(model: nn.Module) -> int:
    return sum(each.numel() for each in model.parameters())


def inputs(model: nn.Module, sizes: Iterable[int]) -> Tensor | None:
    """A batch of two images, or clips, of the first size that the model runs on."""
    settings = getattr(model, "default_cfg", {})
    channels, _, own = settings.get("input_size", (3, 224, 224))
    squares = [(size, size) for size in sorted({*(size for size in sizes if size < own), own})]
    for shape in (*squares, *CLIPS):
        images = torch.randn(2, channels, *shape, generator=torch.Generator().manual_seed(0))
        try:
            model(images)
        except Exception:  # whatever the model says of a size that it does not take
            continue
        return images
    return None


def by_key(output: Tensor | dict[str, Tensor]) -> dict[str, Tensor]:
    return {"": output} if isinstance(output, Tensor) else output


def difference(model: nn.Module, network: nn.Module, images: Tensor) -> float:
    """The largest, relative to the largest output, at batch sizes other than the captured."""
    largest = 0.0
    for count in BATCHES:
        batch = torch.randn(count, *images.shape[1:], generator=torch.Generator().manual_seed(1))
        expected, found = by_key(model(batch)), by_key(network(batch))
        for key, value in expected.items():
            largest = max(largest, float((found[key] - value).abs().max() / value.abs().max()))
    return largest


def report(name: str, sizes: Iterable[int]) -> tuple[bool, float]:
    """Print a line; whether it was captured, and the seconds of it."""
    torch.manual_seed(0)
    model = load_model(name)
    images = inputs(model, sizes)
    size = "-" if images is None else "x".join(map(str, images.shape[2:-1]))
    row = f"{name:45}{size:>7}{_parameters(model) / 1e6:8.1f}"
    if images is None:
        print(f"{row}\n    runs on no batch of images or clips", flush=True)
        return False, 0.0
    started = time.perf_counter()
    try:
        network = capture(model, images, name=name)
    except CaptureError as error:
        reason = str(error).replace(str(Path(timm.__file__).parent.parent) + "/", "")
        print(f"{row}{time.perf_counter() - started:9.1f}\n    {reason}", flush=True)
        return False, 0.0
    seconds = time.perf_counter() - started
    graph = network.graph
    print(
        f"{row}{seconds:9.1f}{len(graph.nodes):8}{len(graph.points):8}"
        f"{network.multiply_adds / 1e6:12.1f}{difference(model, network, images):10.1e}",
        flush=True,
    )
    return True, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description="Which public architectures are captured")
    parser.add_argument("--names", nargs="+", help="of the form timm:NAME or torchvision:NAME")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(
        f"{'model':45}{'size':>7}{'params':>8}{'seconds':>9}{'nodes':>8}{'points':>8}"
        f"{'10^6 madds':>12}{'same':>10}"
    )
    sizes = () if options.names else SIZES
    with torch.no_grad():
        found = [report(name, sizes) for name in options.names or smallest_of_families()]
    print(f"{sum(ok for ok, _ in found)} of {len(found)}, {sum(s for _, s in found):.1f} s in all")


if __name__ == "__main__":
    main()
