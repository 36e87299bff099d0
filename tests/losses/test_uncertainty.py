"""Learnt weights end where the arithmetic says."""

import pytest
import torch

from rppg_lib.losses import UncertaintyWeights


def test_the_scales_end_at_the_losses_that_stay_where_they_are():
    weigh = UncertaintyWeights({"pulse": "regression", "rate": "regression", "person": "classification"})
    fixed = {"pulse": torch.tensor(0.2), "rate": torch.tensor(100.0), "person": torch.tensor(3.0)}
    steps = torch.optim.LBFGS(weigh.parameters(), max_iter=200, line_search_fn="strong_wolfe", tolerance_grad=1e-9)

    def total():
        steps.zero_grad()
        value = sum(weigh(fixed).values())
        value.backward()
        return value

    steps.step(total)
    scales = weigh.scales()
    assert scales["pulse"] ** 2 == pytest.approx(0.2, rel=1e-3)            # s^2 = L
    assert scales["rate"] ** 2 == pytest.approx(100, rel=1e-3)
    assert scales["person"] == pytest.approx(3, rel=1e-3)                  # s = L: it is divided by s, not by s^2


def test_at_scale_one_a_regression_counts_half_and_a_classification_whole():
    terms = UncertaintyWeights({"a": "regression", "b": "classification"})(
        {"a": torch.tensor(3.0), "b": torch.tensor(3.0)})
    assert {name: term.item() for name, term in terms.items()} == {"a": 1.5, "b": 3.0}


def test_the_weights_pass_the_slope_to_the_losses():
    loss = torch.tensor(2.0, requires_grad=True)
    UncertaintyWeights({"a": "regression"})({"a": loss})["a"].backward()
    assert loss.grad.item() == 0.5


def test_the_scales_are_learnt_saved_and_restored():
    weigh, other = (UncertaintyWeights({"a": "regression", "b": "classification"}) for _ in range(2))
    with torch.no_grad():
        weigh.log_variance["a"].fill_(1.7)
    other.load_state_dict(weigh.state_dict())
    assert other.scales() == weigh.scales() and len(list(weigh.parameters())) == 2


def test_an_unknown_kind_or_loss_is_refused():
    with pytest.raises(ValueError, match="one of regression, classification; got {'a': 'ranking'}"):
        UncertaintyWeights({"a": "ranking"})
    with pytest.raises(ValueError, match="knows a, got b. Name every loss when making it"):
        UncertaintyWeights({"a": "regression"})({"b": torch.tensor(1.0)})


@pytest.mark.parametrize("starts", [{"rate": 0.0}, {"rate": -1.0}, {"rate": float("inf")}, {"person": 2.0}])
def test_a_scale_to_start_from_must_be_above_0_and_of_a_loss_there_is(starts):
    with pytest.raises(ValueError, match="UncertaintyWeights: starts must be scales above 0 of rate, got"):
        UncertaintyWeights({"rate": "regression"}, starts=starts)
