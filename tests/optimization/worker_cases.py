"""Evaluations for workers that may die; what one does to its worker is in its genotype."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

from optimization_cases import accuracy_and_macs

from netstitch.optimization import Genotype

RAISES, LEAVES, INTERRUPTED, KILLED, EXITS, HANGS, INTERRUPTS_THE_PARENT = range(101, 108)
REFUSED, TOO_MUCH = 111, 112


def eventful(genotype: Genotype) -> tuple[float, ...]:
    """Do what the first value of the genotype says."""
    match int(genotype[0]):
        case 101:
            raise ValueError("shapes\ndiffer")
        case 102:
            sys.exit("enough")
        case 103:
            os.kill(os.getpid(), signal.SIGINT)
        case 104:
            os.kill(os.getpid(), signal.SIGKILL)
        case 105:
            os._exit(3)
        case 106:
            threading.Event().wait()
        case 107:
            parent = multiprocessing.parent_process()
            assert parent is not None
            assert parent.pid is not None
            os.kill(parent.pid, signal.SIGINT)
            threading.Event().wait()
    return (float(genotype[0]),)


def kills(fatal: list[int], genotype: Genotype) -> tuple[float, float]:
    if genotype.tolist() == fatal:
        os.kill(os.getpid(), signal.SIGKILL)
    return accuracy_and_macs(genotype)


def slowly(genotype: Genotype) -> tuple[float, float]:
    time.sleep(0.1)
    return accuracy_and_macs(genotype)


class Fragile:
    """Can be pickled, and does in the worker what it is told to when it is unpickled."""

    def __init__(self, function: Callable[..., object], argument: object) -> None:
        self.reduced = (function, (argument,))

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object]]:
        return self.reduced

    def __call__(self, genotype: Genotype) -> tuple[float, ...]:
        return ()
