"""Model names: suffixes, variants, and what is said of names that do not exist."""

import pytest

from harness import presets
from harness.errors import UsageError
from harness.presets import applied, hyper, parse_model_name
from harness.reference import CELLS


def test_suffixes_leave_out_more_and_more():
    def asked(name):
        spec = parse_model_name(name)
        return spec.low_rank, spec.sparse, spec.quantised

    assert asked("fastgrnn") == (True, True, True)
    assert asked("fastgrnn-q") == (True, True, False)
    assert asked("fastgrnn-sq") == (True, False, False)
    assert asked("fastgrnn-lsq") == (False, False, False)
    assert asked("lstm") == (True, True, True)
    assert asked("lstm-q") == (True, True, False)


def test_baselines_are_compressed_where_it_is_asked_for():
    asked = {"rank_u": 4, "density_w": 0.5, "hidden": 12}
    plain = applied(parse_model_name("gru"), hyper("smoke", "har2", "gru"))
    assert (plain.rank_u, plain.density_w, plain.epochs_sparse) == (None, 1.0, 0)
    h = applied(parse_model_name("gru"), hyper("smoke", "har2", "gru", asked))
    assert (h.rank_u, h.density_w) == (4, 0.5)
    assert h.epochs_sparse > 0
    h = applied(parse_model_name("gru-lsq"), hyper("smoke", "har2", "gru", asked))
    assert (h.rank_u, h.density_w) == (None, 1.0)


def test_a_rank_where_there_is_no_low_rank_form_is_a_usage_error():
    asked = hyper("smoke", "har2", "eurnn", {"rank_u": 4})
    with pytest.raises(UsageError, match="eurnn has no low-rank form") as caught:
        applied(parse_model_name("eurnn"), asked)
    assert "fastgrnn" in caught.value.hint
    assert applied(parse_model_name("eurnn-lsq"), asked).rank_u is None


@pytest.mark.parametrize("name", ["", "fastgrn", "fastgrnn-x", "fastgrnn-", "lstm+wild", "-q"])
def test_unknown_names_are_usage_errors(name):
    with pytest.raises(UsageError):
        parse_model_name(name)


def test_a_variant_is_chosen_by_its_value(monkeypatch):
    monkeypatch.setattr(
        CELLS["ornn"], "options", {"slope": ("leaky", "flat"), "bias": ("b", "none")}
    )
    assert parse_model_name("ornn").options == {"slope": "leaky", "bias": "b"}
    assert parse_model_name("ornn+flat-q").options == {"slope": "flat", "bias": "b"}
    spec = parse_model_name("ornn+none+flat")
    assert applied(spec, hyper("smoke", "digits", "ornn")).options == {
        "slope": "flat",
        "bias": "none",
    }


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("preset", presets.PRESETS)
@pytest.mark.parametrize(
    "dataset", ["digits", "har2", "dsa19", "pixel-digits", "pixel-mnist", "google12", "x"]
)
def test_every_cell_has_hyper_parameters_under_every_preset(cell, preset, dataset):
    assert hyper(preset, dataset, cell).hidden >= 1


@pytest.mark.parametrize("cell", CELLS)
def test_values_of_different_options_do_not_collide(cell):
    values = [value for allowed in CELLS[cell].options.values() for value in allowed]
    assert len(values) == len(set(values))


def test_narrow_sums_need_a_narrow_state_and_fastgrnn():
    with pytest.raises(UsageError, match="sum_bits is 16 with state_bits 16") as caught:
        hyper("quick", "har2", "fastgrnn", {"sum_bits": 16})
    assert caught.value.hint == "add state_bits=8"
    bits = {"state_bits": 8, "sum_bits": 16}
    applied(parse_model_name("fastgrnn"), hyper("quick", "har2", "fastgrnn", bits))
    with pytest.raises(UsageError, match="sum_bits is 16 for lstm"):
        applied(parse_model_name("lstm"), hyper("quick", "har2", "lstm", bits))
    with pytest.raises(UsageError, match="sum_bits is 24"):
        hyper("quick", "har2", "fastgrnn", {"sum_bits": 24})
