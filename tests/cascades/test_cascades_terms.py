"""Terms: which outputs are one tensor, and which of them a mean answer averages."""

import numpy as np
from small_supernets import small_supernet, three_networks

from netstitch.cascades.terms import averaged, make_stage, terms_of
from netstitch.stitching.exit import Exit


def test_the_ensemble_averages_the_basis_networks_terms() -> None:
    supernet = small_supernet()
    wide, deep, ensemble = (make_stage(supernet, one) for one in supernet.references().values())
    assert ensemble.terms == (*wide.terms, *deep.terms)
    assert [term.network for term in ensemble.terms] == [0, 1]
    assert terms_of([wide, ensemble, deep]) == list(ensemble.terms)


def test_choices_that_the_output_does_not_depend_on_make_no_other_term() -> None:
    supernet = small_supernet()
    plain = supernet.genotype("wide")
    idle = int(np.flatnonzero(~supernet.active(plain))[0])
    used = int(np.flatnonzero(supernet.active(plain)[:-1])[0])
    assert make_stage(supernet, supernet.genotype("wide", [idle])) == make_stage(supernet, plain)
    assert make_stage(supernet, supernet.genotype("wide", [used])) != make_stage(supernet, plain)


def test_without_a_choice_of_one_network_the_whole_output_is_the_term() -> None:
    supernet = three_networks()
    pair = make_stage(supernet, supernet.genotype(0))
    assert [term.network for term in pair.terms] == [0, 1]
    short = three_networks()
    object.__setattr__(short.board, "outputs", ((0, 1), (0,), (2,), (0, 2), (1, 2), (0, 1, 2)))
    whole = make_stage(short, (*[0] * (len(short.cardinalities) - 1), 0))
    assert [term.network for term in whole.terms] == [None]


def test_a_mean_answer_counts_no_output_twice_and_no_exit() -> None:
    supernet = small_supernet()
    wide, deep, ensemble = (make_stage(supernet, one) for one in supernet.references().values())
    early = make_stage(supernet, Exit(0, ("relu",)))
    assert averaged([early, wide, deep]) == (*wide.terms, *deep.terms)
    assert averaged([early, wide]) is None
    assert averaged([wide, ensemble]) is None
    assert averaged([wide, early]) is None
    stitched = make_stage(supernet, supernet.genotype("deep", [0, 1, 2]))
    assert averaged([stitched, ensemble]) == (*stitched.terms, *ensemble.terms)
