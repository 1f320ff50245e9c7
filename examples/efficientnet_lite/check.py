"""Both networks name the obvious class of the photographs that have one.

python check.py
"""

import sys

import torch
from networks import lite0, lite1
from photographs import OBVIOUS, picture, prepare
from timm.data import ImageNetInfo


def main() -> int:
    networks = {"lite0": lite0(), "lite1": lite1()}
    names = ImageNetInfo()
    wrong = 0
    for file, word in OBVIOUS.items():
        inputs = prepare(picture(file))[None]
        said = []
        for name, network in networks.items():
            with torch.inference_mode():
                chances = network(inputs).softmax(1)[0]
            best = int(chances.argmax())
            label = names.index_to_description(best)
            wrong += word not in label
            said.append(f"{name} {label.partition(',')[0]} ({float(chances[best]):.0%})")
        print(f"{file}: {', '.join(said)}; expected {word}")
    print(f"{wrong} of {2 * len(OBVIOUS)} are wrong" if wrong else "all are as expected")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
