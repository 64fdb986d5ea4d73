"""Enumerations: compared, never true by themselves, short as text, and arrays throughout."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go

KINDS = {go.VERDICT: "yes", go.RESULTS: "successful", go.MOTIONS: "cycle"}


@pytest.mark.parametrize(("kind", "hint"), KINDS.items())
def test_a_member_has_no_truth_value_and_the_error_says_what_to_write(kind, hint):
    """`if report.dne:` would be true of a no."""
    for name in kind.names:
        with pytest.raises(TypeError, match=rf"== {kind.__name__}\.{hint}"):
            bool(getattr(kind, name))


@pytest.mark.parametrize("kind", KINDS)
def test_text_is_the_name_and_comparison_is_an_array(kind):
    """`str` is the name, `repr` says the kind, `Kind[member]` is the text."""
    for name, text in zip(kind.names, kind.texts, strict=True):
        member = getattr(kind, name)
        assert isinstance(member, kind)
        assert str(member) == f"{member}" == name
        assert repr(member) == f"{kind.__name__}.{name}"
        assert kind[member] == text
        equal = [bool(member == getattr(kind, other)) for other in kind.names]
        assert sum(equal) == 1
        assert equal[kind.names.index(name)]
        assert bool(member != getattr(kind, kind.names[0])) == (name != kind.names[0])
        assert isinstance(member == member, jax.Array)


def test_another_kind_is_not_compared():
    """Nor a string: a typing error would be a silent false."""
    for other in ("yes", go.RESULTS.successful, 1):
        with pytest.raises(ValueError, match="VERDICT is compared with its own members"):
            assert go.VERDICT.yes == other
    with pytest.raises(ValueError, match="VERDICT"):
        go.VERDICT["yes"]


def test_members_go_through_jit_vmap_and_cond():
    """As arrays, with their text for each entry."""
    choose = lambda a: go.VERDICT.where(a > 0, go.VERDICT.yes, go.VERDICT.no)
    many = jax.vmap(jax.jit(choose))(jnp.arange(3.0) - 1)
    assert str(many) == "['no' 'no' 'yes']"
    np.testing.assert_array_equal(many == go.VERDICT.yes, [False, False, True])
    np.testing.assert_array_equal(go.is_yes(many), [False, False, True])
    np.testing.assert_array_equal(go.is_no(many), [True, True, False])
    picked = jax.jit(lambda a: jax.lax.cond(a > 0, lambda: go.VERDICT.yes, lambda: go.VERDICT.no))
    assert str(picked(1.0)) == "yes"
    assert str(jax.tree.map(lambda leaf: leaf[2], many)) == "yes"


def test_the_verdicts_of_a_report_are_such():
    """A report in an `if` raises; its words are those of the table that it prints."""
    report = go.classify(
        go.ZeroSumQuadratic(jnp.eye(1), jnp.eye(1), -jnp.eye(1)),
        go.Players(jnp.zeros(1), jnp.zeros(1)),
    )
    with pytest.raises(TypeError, match=r"== VERDICT\.yes"):
        assert not report.dne
    assert str(report.dne) == "yes"
    assert report.minimax is not None
    assert bool(go.is_yes(report.minimax))
    assert str(report.degenerate) == "no"
